"""A pure picture of a sweep, read from its folder at any time, while it works or after.

What a run came to stands in its own folder, so the picture is right even where the process that
drove the sweep died.
"""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from nexus_engine.disk.regular_files import MAX_JSON_BYTES, read_regular
from nexus_engine.errors import RunError
from nexus_engine.events import (
    EpochStarted,
    Evaluated,
    RunFailed,
    RunFinished,
    RunStarted,
    RunStopped,
    decode_event,
)
from nexus_engine.sweeps.folder import SweepFolder
from nexus_engine.sweeps.grid import Axis, Cell

__all__ = [
    "CellState",
    "CellView",
    "PointView",
    "SweepState",
    "SweepView",
    "best_point",
    "points",
    "read_cell",
    "read_sweep",
    "sound_correlation",
    "state_of",
]

LARGEST_CORRELATION = 1.000001
"""Rounding may take it beyond 1."""

CellState = Literal["waiting", "live", "finished", "failed", "stopped"]
"""`stopped`: begun, not ended, and nobody works on it: the next start goes on with it."""
SweepState = Literal["live", "finished", "failed", "stopped"]
"""`failed`: runs failed and none finished; `stopped`: there is more to run, and nobody works."""


class CellView(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a sweep. Figures are None until there are any."""

    cell: Cell
    run_dir: str
    state: CellState
    epoch: int = 0
    epochs: int = 0
    base_dev_spearman: float | None = None
    best_dev_spearman: float | None = None
    test_spearman: float | None = None
    switches: int | None = None
    switches_kept: int | None = None
    params_trained: int | None = None
    train_seconds: float | None = None
    message: str = ""
    exit_code: int | None = None
    failed_as: str = ""
    """Of a run that failed: the kind of the error."""


class PointView(msgspec.Struct, frozen=True, kw_only=True):
    """One combination of the axes, over its seeds.

    Means are over the runs that finished, None without any; `deviation` is the standard deviation
    of dev over seeds, None below two.
    """

    point: int
    values: tuple[Any, ...]
    runs: int
    finished: int
    dev_spearman: float | None
    deviation: float | None
    test_spearman: float | None
    switches_kept: float | None
    fewest_switches_kept: int | None
    best_cell: str | None


class SweepView(msgspec.Struct, frozen=True, kw_only=True):
    """A sweep: its axes, its runs in the grid's order, and whether a process works on it."""

    name: str
    path: str
    live: bool
    data: str
    tune: str
    axes: tuple[Axis, ...]
    seeds: tuple[int, ...]
    common: dict[str, Any]
    cells: tuple[CellView, ...]
    created_unix_s: float = 0.0

    def cell(self, name: str) -> CellView:
        """The run called `name`; KeyError where there is none."""
        for view in self.cells:
            if view.cell.name == name:
                return view
        raise KeyError(name)


def sound_correlation(value: float | None) -> float | None:
    """`value`, or NaN for one that no correlation has: somebody else may have written it."""
    return value if value is None or abs(value) <= LARGEST_CORRELATION else math.nan


def read_cell(path: Path, cell: Cell, *, live: bool) -> CellView:
    """What the run folder at `path` says of `cell`; `live`: the sweep is being worked on.

    Of a finished run only the result is read; of any other the log, its step events left out.
    """
    from nexus_engine.runs.event_reading import EventLog  # numpy: not where nothing is read

    view = CellView(cell=cell, run_dir=str(path), state="waiting")
    result = _result(path)
    if result is not None:
        return _finished(view, result)
    if (path / "run.json").is_file():
        view = msgspec.structs.replace(view, state="live" if live else "stopped")
    for event in EventLog(path / "events.jsonl").picture(steps=0):
        match event:
            case Evaluated(arm="main", split="dev"):
                found = sound_correlation(event.spearman)
                base = found if event.epoch == 0 else view.base_dev_spearman
                view = msgspec.structs.replace(
                    view,
                    epoch=event.epoch,
                    base_dev_spearman=base,
                    best_dev_spearman=sound_correlation(event.best_spearman),
                )
            case EpochStarted(arm="main"):
                view = msgspec.structs.replace(view, epochs=event.epochs)
            case RunFinished():
                view = _finished(view, event)
            case RunFailed():
                view = msgspec.structs.replace(
                    view,
                    state="failed",
                    message=event.message,
                    exit_code=event.exit_code,
                    failed_as=event.kind,
                )
            case RunStopped():
                view = msgspec.structs.replace(view, state="stopped")
            case RunStarted():
                view = msgspec.structs.replace(
                    view,
                    state="live" if live else "stopped",
                    message="",
                    exit_code=None,
                    failed_as="",
                )
    return view


def _result(path: Path) -> RunFinished | None:
    """The run's result, where it has one that can be read."""
    with contextlib.suppress(OSError, RunError):
        event = decode_event(read_regular(path / "result.json", MAX_JSON_BYTES))
        if isinstance(event, RunFinished):
            return event
    return None


def _finished(view: CellView, event: RunFinished) -> CellView:
    return msgspec.structs.replace(
        view,
        state="finished",
        epoch=event.epochs,
        epochs=event.epochs,
        base_dev_spearman=sound_correlation(event.base_dev_spearman),
        best_dev_spearman=sound_correlation(event.best_dev_spearman),
        test_spearman=sound_correlation(event.test_spearman),
        switches=event.switches,
        switches_kept=event.switches_kept,
        params_trained=event.params_trained,
        train_seconds=event.train_seconds,
        message="",
        exit_code=None,
        failed_as="",
    )


def read_sweep(path: Path) -> SweepView:
    """The sweep in the folder `path`.

    Raises:
        RunError: there is no readable sweep there.
    """
    folder = SweepFolder(path)
    record = folder.record()
    live = folder.is_live()
    cells = []
    for cell in record.grid.cells():
        with contextlib.suppress(RunError):
            cells.append(read_cell(folder.run_path(cell), cell, live=live))
    common = record.grid.common
    return SweepView(
        name=record.name,
        path=str(path),
        live=live,
        data=str(common.get("data", "demo")),
        tune=str(common.get("tune", "dendrites")),
        axes=record.grid.axes,
        seeds=record.grid.seeds,
        common=common,
        cells=tuple(cells),
        created_unix_s=record.created_unix_s,
    )


def state_of(view: SweepView) -> SweepState:
    """What is to be said of the sweep as a whole."""
    states = {cell.state for cell in view.cells}
    if view.live:
        return "live"
    if "finished" not in states and "failed" in states:
        return "failed"
    return "stopped" if states & {"waiting", "live", "stopped"} else "finished"


def points(cells: Sequence[CellView]) -> tuple[PointView, ...]:
    """The combinations of the axes in the grid's order, each over its seeds."""
    grouped: dict[int, list[CellView]] = {}
    for view in cells:
        grouped.setdefault(view.cell.point, []).append(view)
    found = []
    for point, views in sorted(grouped.items()):
        done = [v for v in views if v.state == "finished" and v.best_dev_spearman is not None]
        dev = [v.best_dev_spearman for v in done if v.best_dev_spearman is not None]
        test = [v.test_spearman for v in done if v.test_spearman is not None]
        kept = [v.switches_kept for v in done if v.switches_kept is not None]
        best = max(done, key=lambda v: v.best_dev_spearman or -math.inf, default=None)
        found.append(
            PointView(
                point=point,
                values=views[0].cell.values,
                runs=len(views),
                finished=len(done),
                dev_spearman=statistics.mean(dev) if dev else None,
                deviation=_deviation(dev),
                test_spearman=statistics.mean(test) if test else None,
                switches_kept=statistics.mean(kept) if kept else None,
                fewest_switches_kept=min(kept, default=None),
                best_cell=None if best is None else best.cell.name,
            )
        )
    return tuple(found)


def _deviation(values: Sequence[float]) -> float | None:
    """The standard deviation; NaN where a value is not finite, which `statistics` fails on."""
    if len(values) < 2:
        return None
    return statistics.stdev(values) if all(map(math.isfinite, values)) else math.nan


def best_point(found: Sequence[PointView]) -> PointView | None:
    """The point of the highest mean dev Spearman; None while no run has finished."""
    done = [p for p in found if p.dev_spearman is not None and math.isfinite(p.dev_spearman)]
    return max(done, key=lambda point: point.dev_spearman or -math.inf, default=None)
