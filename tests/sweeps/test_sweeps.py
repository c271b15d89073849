"""Sweeps: the grid; whole sweeps in child processes, stopped, killed and resumed."""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from forked_cells import ForkedProcesses

from nexus_engine.errors import ConfigError, ExitCode, RunError
from nexus_engine.sweeps.events import (
    CellEnded,
    CellEvaluated,
    CellStarted,
    SweepFailed,
    SweepFinished,
    SweepStarted,
    SweepStopped,
    decode_sweep_event,
    encode_sweep_event,
)
from nexus_engine.sweeps.folder import SweepFolder, find_sweep
from nexus_engine.sweeps.grid import Axis, Cell, Grid, default_grid, grid_from_file, parse_seeds
from nexus_engine.sweeps.loop import sweep
from nexus_engine.sweeps.processes import Processes
from nexus_engine.sweeps.reading import read_sweep
from nexus_engine.sweeps.view import CellView, best_point, points
from nexus_engine.training.steering import Steering

# The grid


@pytest.mark.parametrize("tune", ["dendrites", "adapter", "full"])
def test_the_default_grid_is_twelve_valid_runs(tune):
    grid = default_grid({"tune": tune})
    grid.check()
    assert len(grid.cells()) == 12
    assert all(len(axis.values) in (2, 3) for axis in grid.axes)


def test_the_full_regime_sweeps_what_was_published():
    grid = default_grid({"tune": "full"})
    swept = {(c.lr, c.batch_size, c.warmup_epochs) for c in map(grid.config, grid.cells())}
    assert swept == {(r, b, w) for r in (1e-5, 2e-5, 5e-5) for b in (16, 32) for w in (2, 4)}


def test_what_is_fixed_is_not_swept_and_seeds_multiply():
    grid = default_grid({"lr": 1e-3}, seeds=(3, 4))
    assert [axis.name for axis in grid.axes] == ["batch_size", "switch_epochs"]
    cells = grid.cells()
    assert [c.seed for c in cells] == [3] * 4 + [4] * 4
    assert len({c.name for c in cells}) == 8
    assert {grid.settings(c).lr for c in cells} == {1e-3}


def test_a_grid_file(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text(
        "seeds = [5]\n[train]\nepochs = 2\n[grid]\nlr = [1e-3, 2e-3]\nbatch-size = [8]\n"
    )
    grid = grid_from_file(path, {"data": "demo"}, None)
    assert [(a.name, a.values) for a in grid.axes] == [("lr", (1e-3, 2e-3)), ("batch_size", (8,))]
    settings = [grid.settings(c) for c in grid.cells()]
    assert [(s.lr, s.batch_size, s.epochs, s.seed) for s in settings] == [
        (1e-3, 8, 2, 5),
        (2e-3, 8, 2, 5),
    ]
    assert grid_from_file(path, {"epochs": 7}, (1, 2)).seeds == (1, 2)
    assert msgspec.convert(json.loads(json.dumps(msgspec.to_builtins(grid))), Grid).cells()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[grid]\nlearning_rate = [1]\n", "unknown setting learning_rate"),
        ("[grid]\nlr = 1e-3\n", "lr must be a list"),
        ("[grid]\nlr = []\n", "at least one value"),
        ("[grid]\nlr = [1e-3, 1e-3]\n", "each once"),
        ("[grid]\nlr = [7.0]\n", "--lr 7.0"),
        ("[grid]\nseed = [1]\n", "seed cannot be an axis; write seeds ="),
        ("[grid]\ndata = ['demo']\n", r"data cannot be an axis; set it in \[train\]"),
        ("[grids]\nlr = [1]\n", "unknown grids"),
        ("seeds = 'x'\n", "whole numbers"),
        ("seeds = []\n", "at least one"),
        ("grid = 3\n", "must be a table"),
        ("[grid\n", "not TOML"),
    ],
)
def test_a_bad_grid_is_told_before_anything_runs(tmp_path, text, words):
    path = tmp_path / "grid.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        grid_from_file(path, {}, None).check()


def test_seeds_as_text():
    assert parse_seeds("2-4") == (2, 3, 4)
    assert parse_seeds("1,7") == (1, 7)
    for bad in ("a", "4-2", "1,,2", ""):
        with pytest.raises(ConfigError, match="--seeds"):
            parse_seeds(bad)


# The view


def finished(point, seed, dev, kept=2):
    cell = Cell(name=f"{point}-{seed}", point=point, values=(point,), seed=seed)
    return CellView(
        cell=cell,
        run_dir="r",
        state="finished",
        best_dev=dev,
        test_score=dev - 0.1,
        switches_kept=kept,
    )


def test_points_are_means_over_the_seeds_that_finished():
    cells = [finished(0, 1, 0.5), finished(0, 2, 0.7, kept=1), finished(1, 1, 0.65)]
    cells.append(msgspec.structs.replace(finished(1, 2, 0.9), state="failed"))
    first, second = points(cells)
    assert first.dev_score == pytest.approx(0.6)
    assert first.deviation == pytest.approx(statistics.stdev([0.5, 0.7]))
    assert (first.fewest_switches_kept, first.best_cell) == (1, "0-2")
    assert (second.finished, second.runs, second.deviation) == (1, 2, None)
    assert best_point((first, second)) == second
    assert best_point(points([msgspec.structs.replace(cells[0], state="waiting")])) is None


def test_events_survive_json():
    event = CellEnded(cell="a", state="finished", message="", exit_code=0, seconds=float("inf"))
    assert decode_sweep_event(encode_sweep_event(event)) == event
    started = CellStarted(
        cell="a", point=0, values=(1e-5, [0, 1]), seed=1, run_dir="r", attempt=1, resumed=False
    )
    again = decode_sweep_event(encode_sweep_event(started))
    assert again == msgspec.structs.replace(started, values=(1e-5, [0, 1]))


# Whole sweeps

quick = pytest.mark.usefixtures("short_guard_in_children")


@pytest.fixture
def small_data(small_data, tiny_base):
    """A tiny base model lies beside the data."""
    (small_data.parent / "base").symlink_to(tiny_base)
    return small_data


def small_grid(data, **common):
    """On the base model beside the data, if there is one."""
    base = data.parent / "base"
    settings = {"data": str(data), "tune": "adapter", "epochs": 2, "threads": 1, **common}
    if base.exists():
        settings["base"] = str(base)
    return Grid(
        axes=(Axis(name="lr", values=(1e-3, 3e-2)), Axis(name="switch_epochs", values=((1,),))),
        seeds=(1,),
        common=settings,
    )


def collect(folder):
    return list(sweep(folder, ForkedProcesses(folder.path, 2), Steering()))


def kinds(events, kind):
    return [e for e in events if isinstance(e, kind)]


def test_a_sweep_runs_every_cell_and_its_view_agrees(home, small_data):
    folder = SweepFolder.create(None, "demo/..x", small_grid(small_data))
    assert read_sweep(folder.path).cells[0].state == "waiting"
    events = collect(folder)
    assert isinstance(events[0], SweepStarted)
    result = events[-1]
    assert isinstance(result, SweepFinished), result
    assert [e.state for e in kinds(events, CellEnded)] == ["finished"] * 2
    assert {e.epoch for e in kinds(events, CellEvaluated)} == {0, 1, 2}
    view = read_sweep(folder.path)
    assert [c.state for c in view.cells] == ["finished"] * 2
    best = max(c.best_dev for c in view.cells)
    assert result.best_dev_spearman == best
    assert best > view.cells[0].base_dev
    assert view.cell(result.best_cell).run_dir == result.best_run_dir
    assert (Path(result.best_run_dir) / "best/model.json").is_file()
    assert find_sweep("latest").path == folder.path
    assert folder.events() == [decode_sweep_event(encode_sweep_event(e)) for e in events]
    assert not (home / "data/nexus/runs/latest").exists()
    for path in [folder.path, *folder.path.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
    again = collect(folder)
    assert [type(e) for e in again] == [SweepStarted, SweepFinished]
    assert again[0].runs_done == 2


class Meddling(ForkedProcesses):
    """Kills the first start as soon as its run.json is there, and stops the sweep in the third."""

    def __init__(self, folder, steering):
        super().__init__(folder.path, 1)
        self.runs, self.steering, self.starts = folder.path / "runs", steering, 0

    def start(self, cell):
        super().start(cell)
        self.starts += 1
        while self.starts in (1, 3) and not (self.runs / cell / "run.json").is_file():
            time.sleep(0.01)
        if self.starts == 1:
            self._live[cell][0].kill()
        elif self.starts == 3:
            self.steering.stop("interrupted", ExitCode.INTERRUPTED)


def test_a_killed_run_and_a_stopped_sweep_resume(home, small_data):
    # So long that the third start is still at work when the stop arrives.
    folder = SweepFolder.create(home / "s", "x", small_grid(small_data, epochs=60))
    steering = Steering()
    events = list(sweep(folder, Meddling(folder, steering), steering))
    ends = kinds(events, CellEnded)
    assert [e.state for e in ends] == ["lost", "finished", "stopped"]
    assert "SIGKILL" in ends[0].message
    assert [e.attempt for e in kinds(events, CellStarted)] == [1, 2, 1]
    stopped = events[-1]
    assert isinstance(stopped, SweepStopped)
    assert (stopped.exit_code, stopped.runs_finished, stopped.runs_left) == (130, 1, 1)
    assert [c.state for c in read_sweep(folder.path).cells] == ["finished", "stopped"]
    events = list(sweep(folder, ForkedProcesses(folder.path, 1), Steering()))
    assert [e.resumed for e in kinds(events, CellStarted)] == [True]
    assert isinstance(events[-1], SweepFinished), events[-1]


def test_bad_data_ends_the_sweep_at_once_with_its_code(home):
    folder = SweepFolder.create(home / "s", "x", small_grid(home / "nothing.csv"))
    *_, failed = sweep(folder, Processes(folder.path, 1), Steering())
    assert isinstance(failed, SweepFailed)
    assert failed.exit_code == 3
    assert "nothing.csv" in failed.message


def test_one_process_at_a_time_and_no_other_folder(home, small_data):
    folder = SweepFolder.create(home / "s", "x", small_grid(small_data))
    assert not folder.is_live()
    with folder.lock:
        assert folder.is_live()
        with pytest.raises(RunError, match=f"worked on by process {os.getpid()} on .* since"):
            next(iter(sweep(SweepFolder(folder.path), Processes(folder.path, 1), Steering())))
    with pytest.raises(ConfigError, match="not an empty folder"):
        SweepFolder.create(home / "s", "x", small_grid(small_data))
    with pytest.raises(RunError, match="no such sweep"):
        find_sweep("../x")


# The command


@quick
def test_the_command(home, small_data):
    grid = home / "grid.toml"
    train = f'[train]\ntune = "adapter"\nepochs = 1\nbase = "{small_data.parent / "base"}"\n'
    grid.write_text(f"{train}[grid]\nlr = [1e-3, 3e-2]\n")
    command = [sys.executable, "-m", "nexus_tui", "sweep", "--grid", str(grid)]
    command += ["--data", str(small_data), "--jobs", "2", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=home)
    assert done.returncode == 0, done.stderr
    events = [decode_sweep_event(line) for line in done.stdout.splitlines()]
    assert isinstance(events[-1], SweepFinished)
    assert "2 of 2 runs" in done.stderr
    command = [sys.executable, "-m", "nexus_tui", "sweep", "--resume", "latest"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=home)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 runs finished" in done.stdout
    assert str(find_sweep("latest").path) in done.stdout


def test_where_ray_is_missing_no_sweep_is_begun(home, monkeypatch, capfd):
    from nexus_tui.cli import main as cli

    monkeypatch.setitem(sys.modules, "ray", None)
    assert cli.main(["sweep", "--ray", "local"]) == 2
    assert "Ray is not installed" in capfd.readouterr().err
    assert not list(home.rglob("sweep.json"))


def test_the_command_refuses(home, monkeypatch, capfd):
    from nexus_tui.cli import main as cli

    monkeypatch.chdir(home)
    for arguments, words in (
        (["--jobs", "0"], "--jobs"),
        (["--resume", "x", "--data", "demo"], "leave out --data"),
        (["--resume", "nothing"], "no such sweep"),
        (["--grid", "missing.toml"], "No such file"),
        (["--seeds", "x"], "--seeds"),
    ):
        assert cli.main(["sweep", *arguments]) in (1, 2)
        out, err = capfd.readouterr()
        assert out == ""
        assert words in err
        assert err.count("\n") == 1
