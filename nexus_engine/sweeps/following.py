"""Sweeps as they go on, in any process: a picture kept up to date, and the list of all of them.

The picture is read once from the folders of the runs; from then on only what the sweep adds to its
own log is read, so that a look at a sweep where nothing happened costs two small system calls.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from nexus_engine.disk.growing_lines import LineTail, decoded
from nexus_engine.disk.named_folders import read_listed
from nexus_engine.sweeps.events import CellEnded, CellStarted, SweepEvent, decode_sweep_event
from nexus_engine.sweeps.folder import MAX_READ, SWEEP, SweepFolder
from nexus_engine.sweeps.reading import read_cell, read_sweep
from nexus_engine.sweeps.view import (
    CellView,
    SweepState,
    SweepView,
    best_point,
    fold,
    points,
    state_of,
)

__all__ = ["FollowedSweep", "SweepIndex", "SweepSummary", "summary_of"]


class FollowedSweep:
    """The sweep in the folder `path`. `look` belongs to one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder = SweepFolder(path)
        self._tail = LineTail(self._folder.events_file)
        self._view: SweepView | None = None

    def look(self) -> SweepView:
        """The sweep as it is now; the same object as at the last look where nothing happened.

        Raises:
            RunError: there is no readable sweep.
        """
        live = self._folder.is_live()
        view = self._view
        if view is None or view.live != live or not (self.path / SWEEP.description).is_file():
            self._view = self._read_whole()
            return self._view
        events = self._read_new()
        if not events:
            return view
        for event in events:
            view = fold(view, event)
        ended = {event.cell for event in events if isinstance(event, CellEnded)}
        cells = tuple(self._whole(cell) if cell.cell.name in ended else cell for cell in view.cells)
        self._view = msgspec.structs.replace(view, cells=cells, live=live)
        return self._view

    def _whole(self, cell: CellView) -> CellView:
        """A run that has finished has more to say than the sweep's log."""
        if cell.state != "finished":
            return cell
        found = read_cell(Path(cell.run_dir), cell.cell, live=False)
        return found if found.state == "finished" else cell

    def _read_whole(self) -> SweepView:
        self._tail = LineTail(self._folder.events_file)
        told: dict[str, CellEnded | CellStarted] = {}
        before = -1
        while before < self._tail.position < MAX_READ:
            before = self._tail.position
            events = self._read_new()
            told |= {e.cell: e for e in events if isinstance(e, CellEnded | CellStarted)}
        view = read_sweep(self.path)
        for cell in view.cells:
            # A run whose process could not even begin left no word in a folder of its own.
            end = told.get(cell.cell.name)
            if isinstance(end, CellEnded) and end.state == "failed" and cell.state != "finished":
                view = fold(view, end)
        return view

    def _read_new(self) -> list[SweepEvent]:
        return list(decoded(self._tail.read(), decode_sweep_event))


class SweepSummary(NamedTuple):
    """A line of the list of sweeps. `done` runs have finished or failed, `failed` of them failed.

    `best_values` are the settings of the best point, by name; figures are None before there is one.
    """

    name: str
    path: Path
    state: SweepState
    data: str
    tune: str
    runs: int
    done: int
    failed: int
    best_dev_spearman: float | None
    best_values: tuple[tuple[str, Any], ...]
    created_unix_s: float


def summary_of(view: SweepView) -> SweepSummary:
    """The sweep's line."""
    best = best_point(points(view.cells))
    failed = sum(cell.state == "failed" for cell in view.cells)
    finished = sum(cell.state == "finished" for cell in view.cells)
    names = [axis.name for axis in view.axes]
    return SweepSummary(
        name=view.name,
        path=Path(view.path),
        state=state_of(view),
        data=view.data,
        tune=view.tune,
        runs=len(view.cells),
        done=failed + finished,
        failed=failed,
        best_dev_spearman=None if best is None else best.dev_spearman,
        best_values=() if best is None else tuple(zip(names, best.values, strict=True)),
        created_unix_s=view.created_unix_s,
    )


class SweepIndex:
    """The sweeps under `root`, newest first. `refresh` reads again only what went on."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[Path, tuple[FollowedSweep, SweepView, SweepSummary]] = {}
        self._lock = threading.Lock()

    def refresh(self) -> list[SweepSummary]:
        """Every readable sweep as it is now. May be called from any thread."""
        with self._lock:
            self._known, _ = read_listed(self._root, SWEEP, self._look)
            summaries = [summary for _, _, summary in self._known.values()]
        return sorted(summaries, key=lambda one: (one.created_unix_s, one.name), reverse=True)

    def _look(self, path: Path) -> tuple[FollowedSweep, SweepView, SweepSummary]:
        old = self._known.get(path)
        followed = FollowedSweep(path) if old is None else old[0]
        view = followed.look()
        if old is not None and old[1] is view:
            return old
        return followed, view, summary_of(view)
