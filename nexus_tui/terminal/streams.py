"""Results go to stdout, messages to stderr; with --json, stdout holds nothing but JSON.

Each call makes a new console, because tests and callers may replace the streams. See
`standard_streams` for streams that cannot be written.
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
"""Columns of a table in a file or pipe."""
REDRAW_SECONDS = 0.25


def is_live(stream: TextIO) -> bool:
    """Whether the stream is a terminal that can move its cursor."""
    try:
        return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
    except ValueError:  # closed
        return False


class _Console(Console):
    """Rich's console, but without its exit on a pipe that has no reader."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise the BrokenPipeError that is being handled on to the caller."""
        raise


def console(stream: TextIO) -> Console:
    """A console that prints text as it is: no markup, no emoji names, no highlighting.

    Escape sequences go only to a terminal, whatever FORCE_COLOR says, and NO_COLOR turns colours
    off. A console for stderr never fails: it drops what it cannot write.
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
    """Columns of a line on `stream`."""
    return console(stream).width


def _print(stream: TextIO, lines: tuple[Text | str, ...]) -> None:
    target = console(stream)
    for line in lines:
        target.print(line, soft_wrap=True)
    target.file.flush()


def say(*lines: Text | str) -> None:
    """Print messages for the user on stderr, or drop them if it cannot be written."""
    _print(sys.stderr, lines)


def note(*notes: str) -> None:
    """Print notes on the result to stderr; empty notes are skipped."""
    say(*(f"note: {line}" for line in notes if line))


def put(*lines: Text | str) -> None:
    """Print results for people on stdout; raises like `standard_streams.delivering`."""
    with delivering():
        _print(sys.stdout, lines)


def put_line(line: str) -> None:
    """Write one line on stdout and flush it; raises like `standard_streams.delivering`."""
    put_lines([line])


def put_lines(lines: Iterable[str]) -> None:
    """Write lines on stdout, then flush them; raises like `standard_streams.delivering`."""
    with delivering():
        for line in lines:
            sys.stdout.write(line + "\n")
        sys.stdout.flush()


def put_json(value: object) -> None:
    """Write `value` as one line of JSON on stdout; unrounded, non-finite numbers by name."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "")
    text = json.dumps(plain(value), ensure_ascii=encoding != "utf8", allow_nan=False)
    put_line(text)


class Counting:
    """A progress bar on stderr for work of known size; silent unless stderr is a terminal.

    It is redrawn at most four times a second and removed at the end.
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
        """Start work called `description` of size `total`."""
        self._bar.update(self._task, description=description, total=total, refresh=True)

    def advance(self, done: int) -> None:
        """Count `done` more units of work."""
        self._bar.advance(self._task, done)
        now = time.monotonic()
        if now - self._drawn_at >= REDRAW_SECONDS:
            self._drawn_at = now
            self._bar.refresh()
