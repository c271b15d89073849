"""Reading a run's event log: an overview of a long one, then what is added.

A run of days has millions of step events and few others. `EventLog.overview` reads all other events
and an even sample of the steps, so that a log of any length opens at once; `read_new` reads what is
written after that. The log is not mapped into memory: a writer whose disk is full truncates it, and
access to a mapped page that is gone kills the process.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from nexus_engine.disk.growing_lines import MAX_LINE_BYTES, MAX_LOG_BYTES, LineTail, decoded
from nexus_engine.disk.regular_files import open_reader
from nexus_engine.event_lines import decode_event
from nexus_engine.events import Event
from nexus_engine.runs.log_scan import decode_events

__all__ = ["EventLog"]

STEP_KIND = b'step"'
KIND_OFFSET = len('{"event": "')
"""Position of the kind in an event's line; it is written first."""
MIN_LINE_BYTES = len('{"event": "log"}')
NEWLINE = 10
READ_AT_ONCE = 4_000_000
"""Bytes that one `read_new` takes at most, so that a reader far behind stays responsive."""
BLOCK_BYTES = 16_000_000
"""Bytes that the overview scans for newlines at a time."""

Lines = npt.NDArray[np.int64]
"""(n, 2): the offsets in the file at which each line begins and ends."""


class EventLog:
    """The events of the file `path`, which may still grow. An incomplete line is read later."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tail = LineTail(path, block_bytes=READ_AT_ONCE)

    def overview(self, steps: int = 1000) -> list[Event]:
        """All events except steps, and at most `steps` evenly spaced step events, in order.

        The last step is always included. If some events cannot be read, a warning comes last.
        `read_new` continues where this ended.
        """
        try:
            with open_reader(self._path) as file:
                tail = LineTail(self._path, block_bytes=BLOCK_BYTES)
                lines, is_step = _scan(tail)
                self._tail = LineTail(self._path, tail.position, READ_AT_ONCE)
                sample = _sample(lines, is_step, steps)
                return list(decode_events(_line(file, begin, end) for begin, end in sample))
        except OSError:
            return []

    def read_new(self) -> list[Event]:
        """The events written since the last call, oldest first."""
        return list(decoded(self._tail.read(), decode_event))


def _line(file: BinaryIO, begin: int, end: int) -> bytes:
    return os.pread(file.fileno(), end - begin, begin)


def _scan(tail: LineTail) -> tuple[Lines, npt.NDArray[np.bool_]]:
    """The lines of the log that may be events, and (n,): which of them are steps."""
    offsets, are_steps = [np.zeros((0, 2), np.int64)], [np.zeros(0, bool)]
    while tail.position < MAX_LOG_BYTES and (block := tail.read_block()) is not None:
        content = np.frombuffer(block, np.uint8)
        end = np.flatnonzero(content == NEWLINE) + 1
        begin = np.concatenate([[0], end[:-1]])[: len(end)]
        fits = (end - begin > MIN_LINE_BYTES) & (end - begin <= MAX_LINE_BYTES)
        begin, end = begin[fits], end[fits]
        are_steps.append(_are_steps(content, begin, end))
        offsets.append(np.stack([begin, end], axis=1) + (tail.position - len(block)))
    return np.concatenate(offsets), np.concatenate(are_steps)


def _are_steps(
    content: npt.NDArray[np.uint8], begin: npt.NDArray[np.int64], end: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """(m,): whether each of the m lines of `content` is a step event.

    The bytes of the kind are compared column by column over all lines.
    """
    matches = np.ones(len(begin), bool)
    for offset, byte in enumerate(STEP_KIND):
        position = begin + KIND_OFFSET + offset
        inside = position < end
        column = np.zeros(len(begin), np.uint8)
        column[inside] = content[position[inside]]
        matches &= column == byte
    return matches


def _sample(lines: Lines, is_step: npt.NDArray[np.bool_], steps: int) -> list[list[int]]:
    """(begin, end) of every line that is no step, and of at most `steps` evenly spaced steps."""
    step_rows = np.flatnonzero(is_step)
    selected = ~is_step
    if len(step_rows):
        count = min(steps, len(step_rows))
        picks = np.unique(np.linspace(0, len(step_rows) - 1, count).astype(int))
        selected[step_rows[picks]] = True
    sample: list[list[int]] = lines[selected].tolist()
    return sample
