"""A sweep's events folded from its first one on, as the command that runs it shows them."""

from __future__ import annotations

from functools import reduce

import pytest
from sweep_support import LR, fail, finish, make_sweep

from nexus_engine.sweeps import events as sv
from nexus_engine.sweeps.folder import SweepFolder
from nexus_engine.sweeps.reading import read_sweep
from nexus_engine.sweeps.view import first_view, fold, points
from nexus_tui.cli.sweep_progress import cell_rows


@pytest.fixture
def folder(tmp_path) -> SweepFolder:
    return make_sweep(tmp_path, "s", (LR,))


def start(folder: SweepFolder) -> sv.SweepStarted:
    return sv.SweepStarted(
        sweep_dir=str(folder.path), name="s", data="demo", tune="adapter", axes=(LR,), seeds=(1,),
        runs=3, runs_done=0, jobs=1, engine="processes", pid=1,
    )  # fmt: skip


def test_a_run_whose_process_died_is_shown_as_lost_until_it_begins_again(folder):
    view = first_view(start(folder))
    first = view.cells[0].cell
    begins = sv.CellStarted(
        cell=first.name, point=0, values=first.values, seed=1, run_dir="", attempt=1, resumed=False
    )
    lost = sv.CellEnded(cell=first.name, state="lost", message="killed", exit_code=1, seconds=1.0)
    for event, words in ((begins, "live"), (lost, "lost"), (begins, "live")):
        view = fold(view, event)
        header, row = cell_rows(view)  # runs that wait have no row
        assert words in row.plain.split()
        assert "state" in header.plain
    assert view.cells[0].message == ""


def test_the_fold_comes_to_what_the_folders_of_the_runs_say(folder):
    finish(folder, 0, 0.51)
    finish(folder, 1, 0.53)
    fail(folder, 2, "no memory")
    view = reduce(fold, folder.events(), first_view(start(folder)))
    assert [cell.state for cell in view.cells] == ["finished", "finished", "failed"]
    assert points(view.cells) == points(read_sweep(folder.path).cells)
    assert view.cells[2].message == "no memory"
