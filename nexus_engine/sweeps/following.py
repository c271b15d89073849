"""Sweeps followed from any process: one sweep's view kept up to date, and the list of all sweeps.

The view is read once from the folders of the runs. After that, only new lines of the sweep's own
log are read, so that a look at an unchanged sweep costs two small system calls.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from nexus_engine.disk.growing_lines import LineTail, decoded
from nexus_engine.disk.named_folders import read_listed
from nexus_engine.scores import Metric
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
    """The sweep in the folder `path`. One thread at a time may call `look`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder = SweepFolder(path)
        self._tail = LineTail(self._folder.events_file)
        self._view: SweepView | None = None

    def look(self) -> SweepView:
        """The sweep as it is now; the same object as at the last look if nothing happened.

        Raises:
            RunError: there is no readable sweep.
        """
        live = self._folder.is_live()
        view = self._view
        if view is None or view.live != live or not (self.path / SWEEP.description).is_file():
            self._view = self._read_folders()
            return self._view
        events = self._read_new()
        if not events:
            return view
        for event in events:
            view = fold(view, event)
        ended = {event.cell for event in events if isinstance(event, CellEnded)}
        cells = tuple(
            self._with_result(cell) if cell.cell.name in ended else cell for cell in view.cells
        )
        self._view = msgspec.structs.replace(view, cells=cells, live=live)
        return self._view

    def _with_result(self, cell: CellView) -> CellView:
        """`cell` with its run's result, if it has finished: the sweep's log holds less."""
        if cell.state != "finished":
            return cell
        view = read_cell(Path(cell.run_dir), cell.cell, live=False)
        return view if view.state == "finished" else cell

    def _read_folders(self) -> SweepView:
        self._tail = LineTail(self._folder.events_file)
        last_events: dict[str, CellEnded | CellStarted] = {}
        position = -1
        while position < self._tail.position < MAX_READ:
            position = self._tail.position
            events = self._read_new()
            last_events |= {e.cell: e for e in events if isinstance(e, CellEnded | CellStarted)}
        view = read_sweep(self.path)
        for cell in view.cells:
            # A run whose process could not begin has its failure in the sweep's log alone.
            last = last_events.get(cell.cell.name)
            if isinstance(last, CellEnded) and last.state == "failed" and cell.state != "finished":
                view = fold(view, last)
        return view

    def _read_new(self) -> list[SweepEvent]:
        return list(decoded(self._tail.read(), decode_sweep_event))


class SweepSummary(NamedTuple):
    """A row of the list of sweeps.

    `done` runs have finished or failed; `failed` of them failed. `best_values` are the settings of
    the best point, by name; they are empty, and its figure is None, until a run has finished.
    """

    name: str
    path: Path
    state: SweepState
    data: str
    tune: str
    runs: int
    done: int
    failed: int
    best_dev: float | None
    best_values: tuple[tuple[str, Any], ...]
    created_unix_s: float
    metric: Metric | None = None


def summary_of(view: SweepView) -> SweepSummary:
    """The sweep's row in the list."""
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
        best_dev=None if best is None else best.dev_score,
        best_values=() if best is None else tuple(zip(names, best.values, strict=True)),
        created_unix_s=view.created_unix_s,
        metric=view.metric,
    )


class _Listed(NamedTuple):
    """A sweep of the list, its view at the last look, and the row made of that view."""

    followed: FollowedSweep
    view: SweepView
    summary: SweepSummary


class SweepIndex:
    """The sweeps under `root`, newest first. `refresh` reads again only sweeps that changed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listed: dict[Path, _Listed] = {}
        self._lock = threading.Lock()

    def refresh(self) -> list[SweepSummary]:
        """Every readable sweep as it is now. May be called from any thread."""
        with self._lock:
            self._listed, _ = read_listed(self._root, SWEEP, self._look)
            summaries = [listed.summary for listed in self._listed.values()]
        return sorted(summaries, key=lambda row: (row.created_unix_s, row.name), reverse=True)

    def _look(self, path: Path) -> _Listed:
        listed = self._listed.get(path)
        followed = FollowedSweep(path) if listed is None else listed.followed
        view = followed.look()
        if listed is not None and listed.view is view:
            return listed
        return _Listed(followed, view, summary_of(view))
