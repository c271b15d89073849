"""Reading a run's event log as it grows, and a long one at a glance.

A run of days has millions of step events and a handful of all others. `EventLog.picture` reads all
of those and an even sample of the steps, so that a log of any length opens at once; `read_new`
follows what is written from then on. The log is read and not mapped into memory: a writer whose
disk is full cuts it, and a mapped page that is gone ends the process.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from nexus_engine.disk.growing_lines import LONGEST_LINE, MAX_READ, LineTail, decoded
from nexus_engine.disk.regular_files import open_reader
from nexus_engine.events import Event, decode_event
from nexus_engine.runs.log_scan import decode_events

__all__ = ["EventLog"]

STEP_KIND = b'step"'
KIND_OFFSET = len('{"event": "')
"""The kind of an event stands there in its line: its tag is written first."""
SHORTEST_LINE = len('{"event": "log"}')
NEWLINE = 10
READ_AT_ONCE = 4_000_000
"""Bytes that one `read_new` takes at most, so that a reader far behind stays responsive."""
BLOCK = 16_000_000
"""Bytes that are looked through at once for line ends."""

Lines = npt.NDArray[np.int64]
"""(n, 2): where each line begins in the file, and where it ends."""


class EventLog:
    """The events of the file `path`, which may still grow. A line cut short is left for later."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tail = LineTail(path, at_once=READ_AT_ONCE)

    def picture(self, steps: int = 1000) -> list[Event]:
        """Every event but steps, and at most about `steps` step events, evenly taken, in order.

        The last step is always among them; a warning comes last where some events cannot be read.
        `read_new` goes on where this ended.
        """
        try:
            with open_reader(self._path) as file:
                tail = LineTail(self._path, at_once=BLOCK)
                lines, is_step = _lines(tail)
                self._tail = LineTail(self._path, tail.position, READ_AT_ONCE)
                chosen = (_line(file, *place) for place in _choose(lines, is_step, steps))
                return list(decode_events(chosen))
        except OSError:
            return []

    def read_new(self) -> list[Event]:
        """The events written since the last call, oldest first."""
        return list(decoded(self._tail.read(), decode_event))


def _line(file: BinaryIO, begin: int, end: int) -> bytes:
    return os.pread(file.fileno(), end - begin, begin)


def _lines(tail: LineTail) -> tuple[Lines, npt.NDArray[np.bool_]]:
    """The lines of the log that may be events, and which of them are steps."""
    places, kinds = [np.zeros((0, 2), np.int64)], [np.zeros(0, bool)]
    while tail.position < MAX_READ and (block := tail.read_block()) is not None:
        view = np.frombuffer(block, np.uint8)
        end = np.flatnonzero(view == NEWLINE) + 1
        begin = np.concatenate([[0], end[:-1]])[: len(end)]
        fits = (end - begin > SHORTEST_LINE) & (end - begin <= LONGEST_LINE)
        begin, end = begin[fits], end[fits]
        kinds.append(_are_steps(view, begin, end))
        places.append(np.stack([begin, end], axis=1) + (tail.position - len(block)))
    return np.concatenate(places), np.concatenate(kinds)


def _are_steps(
    view: npt.NDArray[np.uint8], begin: npt.NDArray[np.int64], end: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """(m,): whether the bytes of a line's kind are those of a step; compared column by column."""
    found = np.ones(len(begin), bool)
    for offset, byte in enumerate(STEP_KIND):
        inside = begin + KIND_OFFSET + offset
        fits = inside < end
        column = np.zeros(len(begin), np.uint8)
        column[fits] = view[inside[fits]]
        found &= column == byte
    return found


def _choose(lines: Lines, is_step: npt.NDArray[np.bool_], steps: int) -> list[list[int]]:
    """Begin and end of the lines to decode."""
    places = np.flatnonzero(is_step)
    keep = ~is_step
    if len(places):
        picked = np.unique(np.linspace(0, len(places) - 1, min(steps, len(places))).astype(int))
        keep[places[picked]] = True
    found: list[list[int]] = lines[keep].tolist()
    return found
