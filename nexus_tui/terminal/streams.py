"""Who may write where: results on stdout, talk on stderr, JSON alone on stdout.

The consoles are made anew on each call because tests and callers may exchange the streams. What
holds when a stream cannot be written stands in `standard_streams`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable
from typing import IO, NoReturn, Self, TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from nexus_engine.disk.json_text import plain
from nexus_tui.terminal.standard_streams import Talk, delivering

__all__ = [
    "Counting",
    "console",
    "is_live",
    "note",
    "put",
    "put_json",
    "put_line",
    "put_lines",
    "say",
    "width",
]

PIPE_WIDTH = 100
"""Columns for tables that go into a file or pipe."""
COUNT_SECONDS = 0.25


def is_live(stream: TextIO) -> bool:
    """Whether the stream is a terminal that can move its cursor."""
    try:
        return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
    except ValueError:  # closed
        return False


class _Console(Console):
    """Rich's console, which would end the whole program where a pipe has no reader."""

    def on_broken_pipe(self) -> NoReturn:
        """Called while a BrokenPipeError is handled: it goes on to whoever writes."""
        raise


def console(stream: TextIO) -> Console:
    """A console that takes text as text: no markup, no emoji names, no highlighting.

    Escape sequences go to a terminal only, whatever FORCE_COLOR says, and no colours where
    NO_COLOR is set. One for stderr never fails: what cannot be written is dropped.
    """
    live = is_live(stream)
    return _Console(
        file=cast("IO[str]", Talk(stream)) if stream is sys.stderr else stream,
        force_terminal=live,
        no_color=True if not live or os.environ.get("NO_COLOR") else None,
        markup=False,
        highlight=False,
        emoji=False,
        width=None if live else PIPE_WIDTH,
    )


def width(stream: TextIO) -> int:
    """Columns that a line on `stream` may take."""
    return console(stream).width


def _print(stream: TextIO, lines: tuple[Text | str, ...]) -> None:
    written = console(stream)
    for line in lines:
        written.print(line, soft_wrap=True)
    written.file.flush()


def say(*lines: Text | str) -> None:
    """Talk to the user, on stderr, if it can be written."""
    _print(sys.stderr, lines)


def note(*notes: str) -> None:
    """Tell on stderr what bears on the result; empty ones are nothing."""
    say(*(f"note: {line}" for line in notes if line))


def put(*lines: Text | str) -> None:
    """Write results for people, on stdout; raises as `standard_streams.delivering`."""
    with delivering():
        _print(sys.stdout, lines)


def put_line(line: str) -> None:
    """Write one ready line on stdout and push it out; raises as `standard_streams.delivering`."""
    put_lines([line])


def put_lines(lines: Iterable[str]) -> None:
    """Write ready lines on stdout, then push them out; raises as `standard_streams.delivering`."""
    with delivering():
        for line in lines:
            sys.stdout.write(line + "\n")
        sys.stdout.flush()


def put_json(value: object) -> None:
    """Write `value` as one line of JSON on stdout; numbers unrounded, non-finite by name."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "")
    text = json.dumps(plain(value), ensure_ascii=encoding != "utf8", allow_nan=False)
    put_line(text)


class Counting:
    """A bar on stderr for work of known size; silent unless that is a terminal.

    It is drawn when its figure has changed, four times a second at most, and removed at the end.
    """

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%", markup=False),
            console=console(sys.stderr),
            disable=not is_live(sys.stderr),
            transient=True,
            auto_refresh=False,
        )
        self._task = self._bar.add_task("loading", total=1)
        self._drawn_at = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, description: str, total: int) -> None:
        """Name the work that begins and its size."""
        self._bar.update(self._task, description=description, total=total, refresh=True)

    def advance(self, done: int) -> None:
        """So much more is done."""
        self._bar.advance(self._task, done)
        now = time.monotonic()
        if now - self._drawn_at >= COUNT_SECONDS:
            self._drawn_at = now
            self._bar.refresh()
