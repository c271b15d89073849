"""Reads the state of a sweep from its folder, whether the sweep is live or has ended.

Each run's outcome is in its own folder, so the view is right even if the sweep's process died.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from nexus_engine.disk.new_folders import LOG_NAME
from nexus_engine.disk.regular_files import MAX_JSON_BYTES, read_regular
from nexus_engine.errors import RunError
from nexus_engine.event_lines import decode_event
from nexus_engine.events import RunFailed, RunFinished, RunStopped
from nexus_engine.runs.run_view import RunView, reduce
from nexus_engine.runs.summary import RUN
from nexus_engine.sweeps.folder import SweepFolder
from nexus_engine.sweeps.grid import Cell
from nexus_engine.sweeps.view import CellView, SweepView, sound_score

__all__ = ["read_cell", "read_sweep"]


def read_cell(path: Path, cell: Cell, *, live: bool) -> CellView:
    """The view of `cell` from its run folder at `path`; `live` says whether the sweep is live.

    For a finished run only the result is read; for any other run the log, without step events.
    """
    from nexus_engine.runs.event_reading import EventLog  # imports numpy, needed only here

    view = CellView(cell=cell, run_dir=str(path), state="waiting")
    result = _result(path)
    if result is not None:
        return _finished(view, result)
    run = RunView()
    for event in EventLog(path / LOG_NAME).overview(steps=0):
        run = reduce(run, event)
    main = run.arm("main")
    if run.started is not None or os.path.isfile(path / RUN.description):
        view = msgspec.structs.replace(view, state="live" if live else "stopped")
    view = msgspec.structs.replace(
        view,
        epoch=main.points[-1].epoch if main.points else 0,
        epochs=main.epochs,
        metric=None if run.started is None else run.metric,
        base_dev=sound_score(main.base_score),
        best_dev=sound_score(main.best_score),
    )
    match run.ended:
        case RunFinished():
            return _finished(view, run.ended)
        case RunFailed():
            return msgspec.structs.replace(
                view,
                state="failed",
                message=run.ended.message,
                exit_code=run.ended.exit_code,
                failed_as=run.ended.kind,
            )
        case RunStopped():
            return msgspec.structs.replace(view, state="stopped")
        case None:
            return view


def _result(path: Path) -> RunFinished | None:
    """The run's result, or None without a readable one."""
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
        metric=event.metric,
        base_dev=sound_score(event.base_dev),
        best_dev=sound_score(event.best_dev),
        test_score=sound_score(event.test_score),
        switches=event.switches,
        switches_kept=event.switches_kept,
        params_trained=event.params_trained,
        train_seconds=event.train_seconds,
        message="",
        exit_code=None,
        failed_as="",
    )


def read_sweep(path: Path) -> SweepView:
    """The view of the sweep in the folder `path`.

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
        metric=next((cell.metric for cell in cells if cell.metric is not None), None),
        created_unix_s=record.created_unix_s,
    )
