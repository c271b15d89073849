"""The event log of a run: a file of JSON lines that grows at its end and survives being cut off.

A record is written by one call and ends in a line end. A crash or a full disk can leave the last
record torn; whoever writes next first closes the torn line, and readers pass over it. So at most
one record is lost.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from nexus_engine.disk.growing_lines import MOST_READ, LineTail, append_line
from nexus_engine.disk.regular_files import open_reader
from nexus_engine.errors import RunError
from nexus_engine.events import Event, decode_event, encode_event

__all__ = [
    "append_event",
    "read_events",
]

LONGEST_TAIL = 65536
"""Bytes in which the last record is looked for."""


def append_event(path: Path, event: Event, *, sync: bool = False) -> None:
    """Add `event` to the log; with `sync` down to the disk."""
    append_line(path, encode_event(event), sync=sync)


def read_events(path: Path) -> Iterator[Event]:
    """Every readable event, oldest first; nothing where the log cannot be read."""
    tail = LineTail(path)
    while tail.position < MOST_READ and (block := tail.read_block()) is not None:
        for line in block.split(b"\n"):  # the schema line is no event, and is passed over
            with contextlib.suppress(RunError):
                yield decode_event(line)
    yield from _torn(path, tail.position)


def _torn(path: Path, position: int) -> Iterator[Event]:
    """The event behind the last line end, whole but for that."""
    with contextlib.suppress(OSError, RunError), open_reader(path) as file:
        file.seek(position)
        yield decode_event(file.read(LONGEST_TAIL))
