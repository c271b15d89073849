"""Reading a run's event log: all its events, or a fast scan of the lines that its figures need.

A list of a thousand runs reads every log, and most lines of a log are steps. So a scan finds the
lines that matter by how they begin, and folds them into a `RunView` as every other reader does. A
growing log is read from where the last scan ended.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nexus_engine.disk.growing_lines import MAX_LOG_BYTES, LineTail, decoded
from nexus_engine.disk.json_text import parse_json
from nexus_engine.disk.regular_files import open_reader
from nexus_engine.errors import RunError
from nexus_engine.event_lines import decode_event
from nexus_engine.events import Event, Warned
from nexus_engine.runs.run_view import ArmView, RunView, reduce

__all__ = ["LogScan", "decode_events", "last_event"]

TAIL_BYTES = 65_536
"""Bytes at a log's end that hold its last complete event."""
NEWLINE = 10
BLOCK_BYTES = 8_000_000
"""Bytes of a log that are scanned at a time."""
SCANNED = tuple(
    f'{{"event": "{kind}"'.encode()
    for kind in ("run_started", "evaluated", "dendrites_added", "switch_settled")
)
"""Beginnings of the lines that a run's figures need."""


class LogScan:
    """The event log at `path`, scanned up to its end at the last `read`.

    `view` holds evaluations on dev and switches, but no steps or notes. `last` is the last event of
    any kind that this version can read, as plain values; it is empty before the first event.
    """

    def __init__(self, path: Path) -> None:
        self._tail = LineTail(path, block_bytes=BLOCK_BYTES)
        self.view = RunView()
        self.last: dict[str, Any] = {}

    @property
    def position(self) -> int:
        """Bytes that have been scanned."""
        return self._tail.position

    @property
    def main(self) -> ArmView:
        """The main arm."""
        return self.view.arm("main")

    def read(self) -> None:
        """Scan what is new; an unreadable file adds nothing."""
        while self.position < MAX_LOG_BYTES and (block := self._tail.read_block()) is not None:
            for event in decoded(_scanned_lines(block), decode_event):
                self.view = reduce(self.view, event)
            self.last = _last_object(block) or self.last


def last_event(path: Path) -> dict[str, Any]:
    """The last event of the log at `path` as plain values; empty if there is none.

    Only the end of the file is read.
    """
    tail = b""
    with contextlib.suppress(OSError), open_reader(path) as file:
        file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
        tail = file.read()
    return _last_object(tail)


def _scanned_lines(block: bytes) -> Iterator[bytes]:
    """The lines of `block` that begin as in SCANNED, in order; `block` holds complete lines."""
    offsets: list[int] = []
    for prefix in SCANNED:
        offset = block.find(prefix)
        while offset >= 0:
            if offset == 0 or block[offset - 1] == NEWLINE:
                offsets.append(offset)
            offset = block.find(prefix, offset + len(prefix))
    for offset in sorted(offsets):
        yield block[offset : block.find(b"\n", offset)]


def _last_object(block: bytes) -> dict[str, Any]:
    """The last line of `block` that `decode_event` accepts, as plain values; empty if none."""
    for line in reversed(block[-TAIL_BYTES:].splitlines()):
        with contextlib.suppress(ValueError, RunError):
            decode_event(line)
            value: dict[str, Any] = parse_json(line)
            return value
    return {}


def decode_events(lines: Iterable[bytes]) -> Iterator[Event]:
    """The events in the lines of a log, in order.

    Lines that are not events, such as the first line of a log or a torn line, are skipped. If lines
    hold events that this version cannot read, a final `Warned` gives their number.
    """
    unreadable = 0
    for line in lines:
        try:
            yield decode_event(line)
        except RunError:
            unreadable += _is_event_object(line)
    if unreadable:
        count = "1 line" if unreadable == 1 else f"{unreadable:,} lines"
        reason = "damaged, or written by another version"
        yield Warned(message=f"{count} of the event log cannot be read: {reason}")


def _is_event_object(line: bytes) -> bool:
    """Whether the line is a JSON object with the key "event"."""
    try:
        value = parse_json(line)
    except ValueError:
        return False
    return isinstance(value, dict) and "event" in value
