"""Reading a run's event log as it grows, and a long one at a glance.

A run of days has millions of step events and a handful of all others. `EventLog.picture` reads all
of those and an even sample of the steps, so that a log of any length opens at once; `read_new`
follows what is written from then on.
"""

from __future__ import annotations

import contextlib
import mmap
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nexus_engine.errors import RunError
from nexus_engine.events import Event, decode_event

__all__ = ["EventLog"]

STEP_KIND = b'step"'
KIND_OFFSET = len('{"event": "')
"""The kind of an event stands there in its line: its tag is written first."""
NEWLINE = 10
READ_AT_ONCE = 4_000_000
"""Bytes that one `read_new` takes at most, so that a reader far behind stays responsive."""
BLOCK = 64_000_000
"""Bytes that are looked through at once for line ends."""


class EventLog:
    """The events of the file `path`, which may still grow. A line cut short is left for later."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def picture(self, steps: int = 1000) -> list[Event]:
        """Every event but steps, and at most about `steps` step events, evenly taken, in order.

        The last step is always among them. `read_new` goes on where this ended.
        """
        try:
            with self._path.open("rb") as file:
                if not file.seek(0, 2):
                    return []
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                    starts, end = _line_starts(view)
                    self._position = end
                    chosen = _choose(view, starts, steps)
                    return _decoded(view[int(a) : int(b)] for a, b in chosen)
        except (OSError, ValueError):
            return []

    def read_new(self) -> list[Event]:
        """The events written since the last call, oldest first."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                found = file.read(READ_AT_ONCE)
        except OSError:
            return []
        end = found.rfind(b"\n") + 1
        self._position += end
        return _decoded(found[:end].splitlines())


def _decoded(lines: object) -> list[Event]:
    """The lines that are events; the schema line and damaged ones are not."""
    events: list[Event] = []
    for line in lines:  # type: ignore[attr-defined]
        with contextlib.suppress(RunError):
            events.append(decode_event(line))
    return events


def _line_starts(view: mmap.mmap) -> tuple[npt.NDArray[np.int64], int]:
    """Where the whole lines begin, with the end of the last as a last entry; and that end."""
    ends = [np.zeros(1, np.int64)]
    for begin in range(0, len(view), BLOCK):
        block = np.frombuffer(view, np.uint8, min(BLOCK, len(view) - begin), begin)
        ends.append(np.flatnonzero(block == NEWLINE) + (begin + 1))
        del block  # the map cannot be closed while an array looks into it
    starts = np.concatenate(ends)
    return starts, int(starts[-1])


def _choose(view: mmap.mmap, starts: npt.NDArray[np.int64], steps: int) -> npt.NDArray[np.int64]:
    """(m, 2): begin and end of the lines to decode."""
    begin, end = starts[:-1], starts[1:]
    is_step = np.ones(len(begin), bool)
    # A line is a step when the bytes of its kind agree; compared column by column.
    for offset, byte in enumerate(STEP_KIND):
        inside = begin + KIND_OFFSET + offset
        fits = inside < end
        column = np.zeros(len(begin), np.uint8)
        column[fits] = _bytes_at(view, inside[fits])
        is_step &= column == byte
    places = np.flatnonzero(is_step)
    keep = ~is_step
    if len(places):
        picked = np.unique(np.linspace(0, len(places) - 1, min(steps, len(places))).astype(int))
        keep[places[picked]] = True
    return np.stack([begin[keep], end[keep]], axis=1)


def _bytes_at(view: mmap.mmap, places: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    whole = np.frombuffer(view, np.uint8)
    found: npt.NDArray[np.uint8] = whole[places]
    del whole
    return found
