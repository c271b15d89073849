"""Every reader of a run's log gets the same figures from it."""

from __future__ import annotations

import json

import msgspec
import pytest
from app_support import (
    epoch_started,
    evaluated,
    finished,
    grown,
    settled,
    started,
    step,
    whole_run,
    write_run,
)

from nexus_engine import events as ev
from nexus_engine.event_lines import encode_event
from nexus_engine.events import RunFailed
from nexus_engine.reports.gather import gather_run
from nexus_engine.runs.event_reading import EventLog
from nexus_engine.runs.folder import RunFolder
from nexus_engine.runs.index import RunIndex
from nexus_engine.runs.run_view import RunView, reduce
from nexus_engine.runs.summary import read_record
from nexus_engine.sweeps.grid import Cell
from nexus_engine.sweeps.loop import _Tail
from nexus_engine.sweeps.reading import read_cell
from nexus_tui.cli import main as cli

CONTROL = "control:no-dendrites"
CELL = Cell(name="001-seed-1", point=0, values=(), seed=1)


def resumed() -> ev.RunStarted:
    return msgspec.structs.replace(started(), resumed=True)


FIRST = [
    started(),
    evaluated(0, 0.42, split="test"),
    evaluated(0, 0.42),
    grown(1, 0, 0.42),
    epoch_started(1),
    step(1, 0.06),
    step(69, 0.05),
    evaluated(1, 0.45),
    settled(1, 1, 0.42, 0.45),
    grown(2, 1, 0.45),
    epoch_started(2, sets=2),
    step(73, 0.04),
    step(138, 0.03),
    evaluated(2, 0.50),
    settled(2, 2, 0.45, 0.50),
]
AGAIN = [
    # After a crash: the checkpoint is from the end of epoch 1, and later steps are repeated.
    resumed(),
    evaluated(0, 0.42, split="test"),
    grown(2, 1, 0.45),
    epoch_started(2, sets=2),
    step(77, 0.041),
    evaluated(2, 0.44, best=False),
    settled(2, 2, 0.45, 0.44, kept=False),
    epoch_started(1, arm=CONTROL),
    evaluated(0, 0.42, arm=CONTROL),
    evaluated(1, 0.43, arm=CONTROL),
]
FAILED = [RunFailed(kind="OSError", message="No space left on device", exit_code=4)]
LOGS = {
    "first": FIRST,
    "resumed": [*FIRST, *AGAIN],
    "failed": [*FIRST, *AGAIN, *FAILED],
    "failed and resumed": [*FIRST, *FAILED, *AGAIN],
    "begun anew": [*FIRST, *FIRST[:8]],
    "finished": whole_run(),
}


def folded(events) -> RunView:
    view = RunView()
    for event in events:
        view = reduce(view, event)
    return view


@pytest.mark.parametrize("name", LOGS)
def test_all_readers_of_a_log_come_to_the_same_figures(tmp_path, name):
    path = write_run(tmp_path, "r", LOGS[name])
    view = folded(LOGS[name])
    main = view.arm("main")
    points = tuple((point.epoch, point.score) for point in main.points)

    attached = folded(EventLog(path / "events.jsonl").overview())
    assert attached == view

    record = read_record(path)
    summary = record.summary
    assert record.points == points
    assert summary.curve == tuple(value for _, value in points)
    if name != "finished":  # a finished run shows the figures of its result
        assert summary.best_dev == main.best_score
        assert summary.base_dev == main.base_score == 0.42
        assert summary.best_epoch == main.best_epoch
        assert (summary.switches_tried, summary.switches_kept) == (
            main.switches_tried,
            main.switches_kept,
        )
        assert summary.params_added == main.params_added

    report = gather_run(RunFolder(path))
    assert [arm.name for arm in report.arms] == [arm.name for arm in view.arms]
    assert [arm.points for arm in report.arms] == [arm.points for arm in view.arms]
    losses = [(point.x, point.mean) for point in main.losses.points]
    assert list(report.arms[0].losses) == losses
    assert (report.result is None) == (view.state != "finished")
    assert bool(report.message) == (view.state == "failed")

    cell = read_cell(path, CELL, live=True)
    states = {"failed": "failed", "finished": "finished"}
    assert cell.state == states.get(view.state, "live")
    if name != "finished":
        assert (cell.epoch, cell.epochs) == (main.points[-1].epoch, main.epochs)
        assert cell.base_dev == main.base_score
        assert cell.best_dev == main.best_score

    seen = list(_Tail(path / "events.jsonl", resumed=False).read("r"))
    assert (seen[-1].epoch, seen[-1].spearman) == points[-1]
    assert (seen[-1].epochs, seen[-1].sets) == (main.epochs, main.sets)


def test_repeated_epochs_count_once_and_a_rolled_back_set_not_at_all(tmp_path):
    main = folded(LOGS["resumed"]).arm("main")
    assert [(point.epoch, point.score) for point in main.points] == [
        (0, 0.42),
        (1, 0.45),
        (2, 0.44),
    ]
    assert [switch.state for switch in main.switches] == ["kept", "rolled back"]
    assert (main.switches_tried, main.switches_kept, main.params_added) == (2, 1, 32_292)
    assert main.best_score == 0.45
    summary = read_record(write_run(tmp_path, "r", LOGS["resumed"])).summary
    assert (summary.switches_kept, summary.params_added) == (1, 32_292)
    (arm, _) = gather_run(RunFolder(tmp_path / "r")).arms
    assert [at for at, _ in arm.losses] == [1, 69, 73, 77]  # step 138 is removed


def test_a_run_begun_anew_in_the_same_log_has_nothing_of_the_earlier_start(tmp_path):
    main = folded(LOGS["begun anew"]).arm("main")
    assert [point.epoch for point in main.points] == [0, 1]
    assert [switch.state for switch in main.switches] == ["trial"]


def test_a_list_reads_on_as_if_it_had_read_the_whole_log(tmp_path):
    path = write_run(tmp_path, "r", FIRST)
    index = RunIndex(tmp_path)
    index.refresh()
    for event in [*AGAIN, finished(str(path))]:
        with (path / "events.jsonl").open("a") as file:
            file.write(encode_event(event) + "\n")
        (summary,) = index.refresh()
        assert summary == read_record(path).summary
        assert index.record(path) == read_record(path)


def test_a_log_put_in_the_place_of_another_is_read_from_its_start(tmp_path):
    path = write_run(tmp_path, "r", FIRST)
    index = RunIndex(tmp_path)
    index.refresh()
    (path / "events.jsonl").unlink()
    other = write_run(tmp_path / "other", "r", LOGS["failed"]) / "events.jsonl"
    other.rename(path / "events.jsonl")
    assert index.refresh() == [read_record(path).summary]


def test_a_set_that_is_rolled_back_takes_its_best_with_it():
    main = folded([*FIRST[:-1], settled(2, 2, 0.45, 0.44, kept=False)]).arm("main")
    assert (main.best_epoch, main.best_score) == (1, 0.45)
    assert [point.is_best for point in main.points] == [True, True, False]


def test_an_end_that_cannot_be_read_is_reported_alike_by_all(tmp_path, monkeypatch, capsys):
    """The last line is damaged or of a later version: all readers call the run interrupted."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    path = write_run(tmp_path / "data/nexus/runs", "r", whole_run())
    log = path / "events.jsonl"
    *lines, end = log.read_text().splitlines()
    facts = json.loads(end)
    del facts["test_spearman"]
    log.write_text("\n".join([*lines, json.dumps(facts)]) + "\n")

    warning = "1 line of the event log cannot be read: damaged, or written by another version"
    assert read_record(path).summary.state == "interrupted"
    report = gather_run(RunFolder(path))
    assert (report.state, report.result) == ("interrupted", None)
    assert warning in report.warnings[-1]
    for command in (["runs"], ["runs", "show", "r"], ["attach", "--once", "r"]):
        assert cli.main(command) == 0
        shown = capsys.readouterr().out
        assert "interrupted" in shown
        assert warning in shown or command == ["runs"]
