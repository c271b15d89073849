"""A run's event log read: whole, or folded fast from the few lines that its figures need.

A list of a thousand runs reads every log, and a log of days is nearly all steps. So the lines that
matter are found by how they begin, and folded into a `RunView` as any other reader folds them; a
growing log is read on from where the last look ended.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nexus_engine.disk.growing_lines import MAX_READ, LineTail, decoded
from nexus_engine.disk.json_text import parse_json
from nexus_engine.disk.regular_files import open_reader
from nexus_engine.errors import RunError
from nexus_engine.events import Event, Warned, decode_event
from nexus_engine.runs.run_view import ArmView, RunView, reduce

__all__ = [
    "LogScan",
    "decode_events",
    "last_event",
]

TAIL_BYTES = 65_536
"""Bytes from a log's end that hold its last whole event."""
BLOCK_BYTES = 8_000_000
"""Bytes of a log that are looked through at once."""
SCANNED = tuple(
    f'{{"event": "{kind}"'.encode()
    for kind in ("run_started", "evaluated", "dendrites_added", "switch_settled")
)
"""How the lines begin from which a run's figures are made."""


class LogScan:
    """The event log at `path`, folded as far as it went at the last `read`.

    `view` holds evaluations on dev and switches, and nothing of steps or notes. `last` is the last
    event that this version can read, as plain values, of whatever kind; empty before there is one.
    """

    def __init__(self, path: Path) -> None:
        self._tail = LineTail(path, at_once=BLOCK_BYTES)
        self.view = RunView()
        self.last: dict[str, Any] = {}

    @property
    def position(self) -> int:
        """Bytes that were looked through."""
        return self._tail.position

    @property
    def main(self) -> ArmView:
        """The run proper."""
        return self.view.arm("main")

    def read(self) -> None:
        """Take in what is new. A file that cannot be read brings nothing."""
        while self.position < MAX_READ and (block := self._tail.read_block()) is not None:
            for event in decoded(_scanned_lines(block), decode_event):
                self.view = reduce(self.view, event)
            self.last = _last_object(block) or self.last


def last_event(path: Path) -> dict[str, Any]:
    """The last event of the log at `path` as plain values, from its end alone; empty without."""
    tail = b""
    with contextlib.suppress(OSError), open_reader(path) as file:
        file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
        tail = file.read()
    return _last_object(tail)


def _scanned_lines(block: bytes) -> Iterator[bytes]:
    """The lines of `block`, which holds whole lines, that begin as SCANNED says, in order."""
    places: list[int] = []
    for lead in SCANNED:
        at = block.find(lead)
        while at >= 0:
            if at == 0 or block[at - 1] == 10:
                places.append(at)
            at = block.find(lead, at + len(lead))
    for at in sorted(places):
        yield block[at : block.find(b"\n", at)]


def _last_object(block: bytes) -> dict[str, Any]:
    """The last line of `block` that is an event, as every other reader of the log takes it."""
    for line in reversed(block[-TAIL_BYTES:].splitlines()):
        with contextlib.suppress(ValueError, RunError):
            decode_event(line)
            value: dict[str, Any] = parse_json(line)
            return value
    return {}


def decode_events(lines: Iterable[bytes]) -> Iterator[Event]:
    """The events of a log's lines, in their order.

    What is no event is passed over: the first line of a log, a torn line. Where lines name an event
    that this version cannot read, a last `Warned` tells how many there are.
    """
    unreadable = 0
    for line in lines:
        try:
            yield decode_event(line)
        except RunError:
            unreadable += _names_an_event(line)
    if unreadable:
        are = "1 line is" if unreadable == 1 else f"{unreadable:,} lines are"
        message = f"of the event log {are} left out: damaged, or written by another version"
        yield Warned(message=message)


def _names_an_event(line: bytes) -> bool:
    try:
        value = parse_json(line)
    except ValueError:
        return False
    return isinstance(value, dict) and "event" in value
