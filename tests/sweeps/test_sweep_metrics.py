"""A sweep on questions: nDCG@10 in its events, view, pictures and tables; tasks are not mixed."""

from __future__ import annotations

import json
from functools import reduce

import msgspec
import pytest
from forked_cells import ForkedProcesses
from question_events import answered, question_run, write_question_run
from question_folders import write_questions
from sweep_support import LR, cell_of, finish, make_sweep

from nexus_engine.errors import ConfigError, RunError
from nexus_engine.sweeps import events as sv
from nexus_engine.sweeps.folder import SweepFolder
from nexus_engine.sweeps.following import summary_of
from nexus_engine.sweeps.grid import Axis, Grid, default_grid
from nexus_engine.sweeps.loop import sweep
from nexus_engine.sweeps.reading import read_sweep
from nexus_engine.sweeps.view import best_point, first_view, fold, points
from nexus_engine.training.steering import Steering
from nexus_tui.charts.run.one_picture import terminal_chart_style
from nexus_tui.charts.sweep.rows import sweep_columns, sweep_header, sweep_line
from nexus_tui.charts.sweep.words import combination_lines, sweep_head
from nexus_tui.cli.sweep_progress import SweepProgress, cell_rows, result_table

STYLE = terminal_chart_style(ascii_only=False)
START = {
    "sweep_dir": "/s", "name": "s", "data": "wiki", "tune": "adapter", "axes": (LR,),
    "seeds": (1,), "runs": 3, "runs_done": 0, "jobs": 1, "engine": "processes", "pid": 1,
}  # fmt: skip
SUMMED_UP = {
    "sweep_dir": "/s", "runs": 3, "runs_finished": 3, "runs_failed": 0, "points": 3,
    "points_with_two_switches_kept": 0, "best_cell": "c", "best_run_dir": "/s/runs/c",
    "best_values": {"lr": 1e-3}, "best_dev_deviation": None, "total_seconds": 9.0,
}  # fmt: skip
ENDED = {"cell": "c", "state": "finished", "message": "", "exit_code": 0, "seconds": 1.0}
QUESTION_EVENTS = (
    sv.SweepStarted(**START, metric="ndcg_at_10"),
    sv.CellEvaluated(cell="c", epoch=1, epochs=2, ndcg_at_10=0.7, best_ndcg_at_10=0.8, sets=1),
    sv.CellEnded(**ENDED, metric="ndcg_at_10", base_dev_ndcg_at_10=0.7, best_dev_ndcg_at_10=0.8,
                 test_ndcg_at_10=0.79),
    sv.CellEnded(**{**ENDED, "state": "failed"}, metric="ndcg_at_10"),
    sv.SweepFinished(**SUMMED_UP, metric="ndcg_at_10", best_dev_ndcg_at_10=0.8,
                     best_test_ndcg_at_10=0.79, base_dev_ndcg_at_10=0.7),
)  # fmt: skip


@pytest.mark.parametrize("event", QUESTION_EVENTS)
def test_an_event_of_a_sweep_on_questions_is_written_and_read_without_spearman(event):
    line = sv.encode_sweep_event(event)
    assert not any(name.endswith("spearman") for name in json.loads(line))
    assert sv.decode_sweep_event(line) == event


def test_the_scores_of_an_event_are_those_of_its_metric():
    _, evaluated, ended, _, last = QUESTION_EVENTS
    assert (evaluated.metric, evaluated.score, evaluated.best_score) == ("ndcg_at_10", 0.7, 0.8)
    assert (ended.base_dev, ended.best_dev, ended.test_score) == (0.7, 0.8, 0.79)
    assert (last.base_dev, last.best_dev, last.best_test) == (0.7, 0.8, 0.79)


def test_events_of_earlier_versions_are_read_and_keep_their_names():
    line = {"event": "cell_evaluated", "time_unix_s": 1.0, "cell": "c", "epoch": 1, "epochs": 2,
            "spearman": 0.5, "best_spearman": 0.6, "sets": 1}  # fmt: skip
    event = sv.decode_sweep_event(json.dumps(line))
    assert (event.metric, event.score, event.best_score) == ("spearman", 0.5, 0.6)
    assert json.loads(sv.encode_sweep_event(event)) == line
    last = {"event": "sweep_finished", **SUMMED_UP, "best_dev_spearman": 0.5,
            "best_test_spearman": 0.4, "base_dev_spearman": 0.3}  # fmt: skip
    event = sv.decode_sweep_event(json.dumps(last))
    assert (event.metric, event.best_dev, event.best_test, event.base_dev) == (
        "spearman", 0.5, 0.4, 0.3)  # fmt: skip
    failed = json.loads(sv.encode_sweep_event(sv.CellEnded(**{**ENDED, "state": "failed"})))
    assert failed["best_dev_spearman"] is None  # as it always was


@pytest.mark.parametrize("kind", ["cell_evaluated", "sweep_finished"])
def test_an_event_without_any_score_is_refused(kind):
    fields = SUMMED_UP if kind == "sweep_finished" else {
        "cell": "c", "epoch": 1, "epochs": 2, "sets": 1}  # fmt: skip
    with pytest.raises(RunError, match="not an event of a sweep"):
        sv.decode_sweep_event(json.dumps({"event": kind, **fields}))


# Tasks


def test_a_grid_of_both_tasks_is_refused_in_one_line(tmp_path):
    folder = write_questions(tmp_path / "q")
    axis = Axis(name="task", values=("pairs", "retrieval"))
    with pytest.raises(ConfigError, match="cannot be ranked together") as refusal:
        Grid(axes=(axis,), seeds=(1,), common={"data": str(folder)}).check()
    assert "\n" not in str(refusal.value)
    Grid(axes=(LR,), seeds=(1,), common={"data": str(folder)}).check()


def test_the_metric_of_a_grid_follows_from_its_data(tmp_path):
    folder = write_questions(tmp_path / "q")
    assert Grid(axes=(LR,), seeds=(1,), common={"data": str(folder)}).metric == "ndcg_at_10"
    assert Grid(axes=(LR,), seeds=(1,), common={}).metric == "spearman"
    assert Grid(axes=(LR,), seeds=(1,), common={"units": -1}).metric == "spearman"


@pytest.mark.parametrize("tune", ["dendrites", "adapter", "full"])
def test_the_default_grid_on_questions_is_twelve_valid_runs_of_its_own(tune):
    grid = default_grid({"tune": tune, "data": "demo-search"})
    grid.check()
    assert len(grid.cells()) == 12
    assert "hard_negatives" in [axis.name for axis in grid.axes]


# View, pictures, tables


@pytest.fixture
def folder(tmp_path) -> SweepFolder:
    """Two of three runs on questions are finished."""
    folder = make_sweep(tmp_path, "s", (LR,))
    for point, dev in ((0, 0.8), (1, 0.83)):
        cell = cell_of(folder, point)
        path = folder.run_path(cell)
        events = question_run(str(path), cell.name)
        last = answered(str(path), best_dev_ndcg_at_10=dev, test_ndcg_at_10=dev - 0.01)
        write_question_run(path.parent, path.name, [*events[:-1], last])
        folder.append(sv.CellEnded(
            **{**ENDED, "cell": cell.name}, metric="ndcg_at_10", base_dev_ndcg_at_10=0.7,
            best_dev_ndcg_at_10=dev, test_ndcg_at_10=dev - 0.01, switches=1, switches_kept=1,
            params_trained=258_528,
        ))  # fmt: skip
    return folder


def test_folders_and_events_come_to_the_same_view(folder):
    view = read_sweep(folder.path)
    start = sv.SweepStarted(**START, metric="ndcg_at_10")
    folded = reduce(fold, folder.events(), first_view(start))
    assert view.metric == folded.metric == "ndcg_at_10"
    assert points(view.cells) == points(folded.cells)
    best = best_point(points(view.cells))
    assert best is not None
    assert (best.point, best.dev_score, best.test_score) == (1, 0.83, 0.82)


def test_a_run_on_questions_is_followed_by_its_scores():
    view = first_view(sv.SweepStarted(**START))
    name = view.cells[0].cell.name
    view = fold(view, msgspec.structs.replace(QUESTION_EVENTS[1], cell=name, epoch=0))
    assert (view.cells[0].base_dev, view.cells[0].best_dev) == (0.7, 0.8)
    assert view.cells[0].metric == "ndcg_at_10"


def test_every_picture_and_table_of_the_sweep_names_ndcg(folder):
    view = read_sweep(folder.path)
    point = points(view.cells)[1]
    head = "\n".join(line.plain for line in sweep_head(view, 78, STYLE))
    assert "best nDCG@10 0.8300" in head
    for width, height in ((58, 5), (44, 20)):
        details = combination_lines(view, point, width=width, height=height, chart_style=STYLE)
        assert any("dev nDCG@10 0.8300" in line.plain for line in details)
    summary = summary_of(view)
    columns = sweep_columns([summary], 78)
    assert "metric" in sweep_header(columns, STYLE).plain
    assert "nDCG@10" in sweep_line(summary, columns, STYLE, now=2000.0).plain
    assert "dev nDCG@10" in cell_rows(view)[0].plain
    last = msgspec.structs.replace(QUESTION_EVENTS[-1], sweep_dir=str(folder.path))
    table = [line.plain for line in result_table(folder, last)]
    assert "dev nDCG@10" in table[0]
    assert "best: dev nDCG@10 0.8000 (+0.1000 over the base model)" in table
    assert not any("Spearman" in line for line in [head, *table])


def test_a_sweep_on_pairs_is_shown_as_it_was(tmp_path):
    folder = make_sweep(tmp_path, "s", (LR,))
    finish(folder, 0, 0.51)
    view = read_sweep(folder.path)
    summary = summary_of(view)
    assert (view.metric, summary.metric) == ("spearman", "spearman")
    assert "metric" not in sweep_header(sweep_columns([summary], 78), STYLE).plain
    assert "best 0.5100" in sweep_head(view, 78, STYLE)[1].plain
    assert cell_rows(view)[0].plain.split() == [
        "lr", "seed", "state", "epoch", "dev", "test", "kept"]  # fmt: skip


def test_the_lines_of_a_sweep_name_ndcg(capsys):
    started, _, ended, _, _ = QUESTION_EVENTS
    progress = SweepProgress()
    progress.show(started)
    cell = first_view(started).cells[0].cell.name
    progress.show(msgspec.structs.replace(ended, cell=cell, switches=1, switches_kept=1))
    assert "dev nDCG@10 0.8000, test 0.7900" in capsys.readouterr().err


def test_a_real_sweep_on_questions_ends_with_ndcg(home, tmp_path):
    """One run of one epoch in a child, whose log the loop follows."""
    data = write_questions(tmp_path / "q", (12, 6, 6), 6)
    common = {"data": str(data), "tune": "adapter", "epochs": 1, "threads": 1, "batch_size": 4,
              "keep_general": "off"}  # fmt: skip
    grid = Grid(axes=(Axis(name="lr", values=(1e-3,)),), seeds=(1,), common=common)
    grid.check()
    folder = SweepFolder.create(None, "x", grid)
    events = list(sweep(folder, ForkedProcesses(folder.path, 1), Steering()))
    started, last = events[0], events[-1]
    assert isinstance(last, sv.SweepFinished), last
    assert started.metric == last.metric == "ndcg_at_10"
    followed = [event for event in events if isinstance(event, sv.CellEvaluated)]
    assert {event.epoch for event in followed} == {0, 1}
    assert last.best_dev == max(event.score for event in followed)
    assert '"spearman' not in folder.events_file.read_text()
