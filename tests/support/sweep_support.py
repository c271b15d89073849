"""What the tests of the sweep screens share: a sweep's folder with its log and its runs."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from app_support import finished, whole_run, write_run

from nexus_engine.sweeps import events as sv
from nexus_engine.sweeps.folder import SweepFolder
from nexus_engine.sweeps.grid import Axis, Cell, Grid
from nexus_engine.sweeps.view import CellView, SweepView

LR = Axis(name="lr", values=(1e-3, 2e-3, 3e-3))
BATCH = Axis(name="batch_size", values=(16, 32))
PLACE = Axis(name="place", values=(("v", "up"), ("up",)))


def view_of(axes, seeds=(1,), states=None, dev=None, **more) -> SweepView:
    """A sweep in memory; `states` and `dev` by (point, seed), finished where a dev is given."""
    grid = Grid(axes=tuple(axes), seeds=tuple(seeds), common={})
    cells = []
    for cell in grid.cells():
        key = (cell.point, cell.seed)
        value = (dev or {}).get(key)
        state = (states or {}).get(key, "waiting" if value is None else "finished")
        cells.append(CellView(
            cell=cell, run_dir=f"/runs/{cell.name}", state=state, best_dev=value,
            base_dev=0.42, test_score=None if value is None else value + 0.01,
            switches=2, switches_kept=2, params_trained=64_632, train_seconds=12.5,
            epoch=1 if state == "live" else 0, epochs=3 if state == "live" else 0,
            message="no memory" if state == "failed" else "",
        ))  # fmt: skip
    fields = {
        "name": "scripted", "path": "/sweeps/scripted", "live": False, "data": "demo",
        "tune": "adapter", "axes": grid.axes, "seeds": grid.seeds, "common": {},
        "cells": tuple(cells), **more,
    }  # fmt: skip
    return SweepView(**fields)


def make_sweep(root: Path, name: str, axes, seeds=(1,), created: float = 1000.0) -> SweepFolder:
    """A sweep's folder under `root` in which nothing has begun."""
    (root / name / "runs").mkdir(parents=True)
    grid = Grid(axes=tuple(axes), seeds=tuple(seeds), common={"tune": "adapter"})
    record = {"schema": 1, "kind": "nexus-sweep", "name": name, "created_unix_s": created,
              "grid": msgspec.to_builtins(grid)}  # fmt: skip
    (root / name / "sweep.json").write_text(json.dumps(record))
    return SweepFolder(root / name)


def cell_of(folder: SweepFolder, point: int, seed: int = 1) -> Cell:
    """A run of the sweep."""
    cells = folder.record().grid.cells()
    return next(cell for cell in cells if (cell.point, cell.seed) == (point, seed))


def begin(folder: SweepFolder, point: int, seed: int = 1) -> Cell:
    """The sweep tells that a run begins."""
    cell = cell_of(folder, point, seed)
    folder.append(sv.CellStarted(
        cell=cell.name, point=point, values=cell.values, seed=seed,
        run_dir=str(folder.run_path(cell)), attempt=1, resumed=False,
    ))  # fmt: skip
    return cell


def evaluate(folder: SweepFolder, cell: Cell, epoch: int, spearman: float) -> None:
    """The sweep tells what a run measured."""
    folder.append(sv.CellEvaluated(
        cell=cell.name, epoch=epoch, epochs=3, spearman=spearman, best_spearman=spearman, sets=1,
    ))  # fmt: skip


def finish(folder: SweepFolder, point: int, dev: float, seed: int = 1) -> Cell:
    """A run that finished, in its own folder and in the sweep's log."""
    cell = cell_of(folder, point, seed)
    path = folder.run_path(cell)
    last = finished(str(path), best_dev_spearman=dev, test_spearman=dev + 0.01)
    write_run(path.parent, path.name, [*whole_run(str(path), cell.name)[:-1], last])
    folder.append(sv.CellEnded(
        cell=cell.name, state="finished", message="", exit_code=0, seconds=30.0,
        base_dev_spearman=0.42, best_dev_spearman=dev, test_spearman=dev + 0.01, switches=2,
        switches_kept=2, params_trained=64_632,
    ))  # fmt: skip
    return cell


def fail(folder: SweepFolder, point: int, message: str, seed: int = 1) -> Cell:
    """A run that failed before it had a folder."""
    cell = cell_of(folder, point, seed)
    folder.append(sv.CellEnded(
        cell=cell.name, state="failed", message=message, exit_code=4, seconds=1.0,
    ))  # fmt: skip
    return cell
