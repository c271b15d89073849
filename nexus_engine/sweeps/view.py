"""The state of a sweep for display, and the pure fold of a sweep's events into it.

`fold(view, event)` is the one place that turns a sweep's events into state. The app's screens, the
command that runs a sweep, and the list of sweeps all use it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any, Literal, assert_never

import msgspec

from nexus_engine.event_ranges import MAX_CORRELATION
from nexus_engine.scores import Metric
from nexus_engine.sweeps.events import (
    CellEnded,
    CellEvaluated,
    CellStarted,
    SweepEvent,
    SweepFailed,
    SweepFinished,
    SweepStarted,
    SweepStopped,
)
from nexus_engine.sweeps.grid import Axis, Cell, Grid

__all__ = [
    "CellView",
    "PointView",
    "SweepState",
    "SweepView",
    "best_point",
    "first_view",
    "fold",
    "points",
    "sound_score",
    "state_of",
]

BASE_EPOCH = 0

CellState = Literal["waiting", "live", "finished", "failed", "stopped"]
"""`stopped`: begun but not ended, and no process works on the run; the next start resumes it."""
SweepState = Literal["live", "finished", "failed", "stopped"]
"""`failed`: runs failed and none finished. `stopped`: runs are left, and no process works."""


class CellView(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a sweep. Figures are None until they are known."""

    cell: Cell
    run_dir: str
    state: CellState
    epoch: int = 0
    epochs: int = 0
    metric: Metric | None = None
    """The metric of the scores."""
    base_dev: float | None = None
    best_dev: float | None = None
    test_score: float | None = None
    switches: int | None = None
    switches_kept: int | None = None
    params_trained: int | None = None
    train_seconds: float | None = None
    message: str = ""
    exit_code: int | None = None
    failed_as: str = ""
    """The kind of the error of a run that failed."""
    lost: bool = False
    """Whether its process died without an event; the run is then `stopped` until it is retried."""


class PointView(msgspec.Struct, frozen=True, kw_only=True):
    """One combination of the axes, over its seeds.

    Means are over the finished runs, None without any. `deviation` is the standard deviation of
    the dev score over the finished runs, None for fewer than two.
    """

    point: int
    values: tuple[Any, ...]
    runs: int
    finished: int
    dev_score: float | None
    deviation: float | None
    test_score: float | None
    switches_kept: float | None
    fewest_switches_kept: int | None
    best_cell: str | None


class SweepView(msgspec.Struct, frozen=True, kw_only=True):
    """A sweep: its axes, its runs in the order of the grid, and whether a process works on it.

    `metric` decides in its runs; None until a run has been measured.
    """

    name: str
    path: str
    live: bool
    data: str
    tune: str
    axes: tuple[Axis, ...]
    seeds: tuple[int, ...]
    common: dict[str, Any]
    cells: tuple[CellView, ...]
    metric: Metric | None = None
    created_unix_s: float = 0.0

    def cell(self, name: str) -> CellView:
        """The run called `name`; KeyError if there is none."""
        for view in self.cells:
            if view.cell.name == name:
                return view
        raise KeyError(name)


def sound_score(value: float | None) -> float | None:
    """`value`, or NaN if no score can be that: the file may have been written by others."""
    return value if value is None or abs(value) <= MAX_CORRELATION else math.nan


def first_view(event: SweepStarted) -> SweepView:
    """The view at the start of a sweep, from its first event: every run waits.

    Runs that an earlier start finished wait too: the event holds only their number.
    """
    grid = Grid(axes=event.axes, seeds=event.seeds, common={})
    cells = tuple(CellView(cell=cell, run_dir="", state="waiting") for cell in grid.cells())
    return SweepView(
        name=event.name,
        path=event.sweep_dir,
        live=True,
        data=event.data,
        tune=event.tune,
        axes=event.axes,
        seeds=event.seeds,
        common={},
        cells=cells,
        metric=event.metric,
    )


def fold(view: SweepView, event: SweepEvent) -> SweepView:
    """The view after `event`. An event of a run that is not in the grid changes nothing."""
    match event:
        case SweepStarted():
            return msgspec.structs.replace(view, live=True)
        case CellStarted():
            return _with(view, event.cell, state="live", message="", exit_code=None, lost=False)
        case CellEvaluated():
            figures: dict[str, Any] = {"best_dev": sound_score(event.best_score)}
            if event.epoch == BASE_EPOCH:
                figures["base_dev"] = sound_score(event.score)
            view = msgspec.structs.replace(view, metric=view.metric or event.metric)
            return _with(
                view,
                event.cell,
                state="live",
                metric=event.metric,
                epoch=event.epoch,
                epochs=event.epochs,
                **figures,
            )
        case CellEnded():
            return _after_end(view, event)
        case SweepFinished() | SweepStopped() | SweepFailed():
            cells = tuple(
                msgspec.structs.replace(cell, state="stopped") if cell.state == "live" else cell
                for cell in view.cells
            )
            return msgspec.structs.replace(view, live=False, cells=cells)
        case _:
            assert_never(event)


def _after_end(view: SweepView, event: CellEnded) -> SweepView:
    state = event.state if event.state in ("finished", "failed") else "stopped"
    changes: dict[str, Any] = {
        "state": state,
        "message": event.message,
        "lost": event.state == "lost",
    }
    if state == "failed":
        changes["exit_code"] = event.exit_code
    if state == "finished":
        changes["metric"] = event.metric
        for name in ("base_dev", "best_dev", "test_score"):
            changes[name] = sound_score(getattr(event, name))
        for name in ("switches", "switches_kept", "params_trained"):
            changes[name] = getattr(event, name)
    return _with(view, event.cell, **changes)


def _with(view: SweepView, name: str, **changes: Any) -> SweepView:
    cells = tuple(
        msgspec.structs.replace(cell, **changes) if cell.cell.name == name else cell
        for cell in view.cells
    )
    return msgspec.structs.replace(view, cells=cells)


def state_of(view: SweepView) -> SweepState:
    """The state of the sweep as a whole."""
    states = {cell.state for cell in view.cells}
    if view.live:
        return "live"
    if "finished" not in states and "failed" in states:
        return "failed"
    return "stopped" if states & {"waiting", "live", "stopped"} else "finished"


def points(cells: Sequence[CellView]) -> tuple[PointView, ...]:
    """The combinations of the axes in the order of the grid, each over its seeds."""
    grouped: dict[int, list[CellView]] = {}
    for view in cells:
        grouped.setdefault(view.cell.point, []).append(view)
    combinations = []
    for point, views in sorted(grouped.items()):
        done = [v for v in views if v.state == "finished" and v.best_dev is not None]
        dev = [v.best_dev for v in done if v.best_dev is not None]
        test = [v.test_score for v in done if v.test_score is not None]
        switches_kept = [v.switches_kept for v in done if v.switches_kept is not None]
        best = max(done, key=lambda v: v.best_dev or -math.inf, default=None)
        combinations.append(
            PointView(
                point=point,
                values=views[0].cell.values,
                runs=len(views),
                finished=len(done),
                dev_score=statistics.mean(dev) if dev else None,
                deviation=_deviation(dev),
                test_score=statistics.mean(test) if test else None,
                switches_kept=statistics.mean(switches_kept) if switches_kept else None,
                fewest_switches_kept=min(switches_kept, default=None),
                best_cell=None if best is None else best.cell.name,
            )
        )
    return tuple(combinations)


def _deviation(values: Sequence[float]) -> float | None:
    """The standard deviation, None below two values; NaN if a value is not finite."""
    if len(values) < 2:
        return None
    # `stdev` raises on a value that is not finite.
    return statistics.stdev(values) if all(map(math.isfinite, values)) else math.nan


def best_point(combinations: Sequence[PointView]) -> PointView | None:
    """The point with the highest mean dev score; None until a run has finished."""
    done = [p for p in combinations if p.dev_score is not None and math.isfinite(p.dev_score)]
    return max(done, key=lambda point: point.dev_score or -math.inf, default=None)
