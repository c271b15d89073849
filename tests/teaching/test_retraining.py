"""Whole runs on labels: what they teach, record and change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from label_support import MANUAL, judge_passages, write_manual

from nexus_engine.config import resolve
from nexus_engine.errors import DataError, RunError
from nexus_engine.events import RunFinished, RunStarted
from nexus_engine.labels.label_file import LabelFile
from nexus_engine.labels.reading import read_labels
from nexus_engine.runs.folder import RunFolder
from nexus_engine.teaching import learning_curve
from nexus_engine.teaching.changes import Turned
from nexus_engine.teaching.retrained import question_changes, retrained
from nexus_engine.teaching.retraining import labels_run_config, task_of_verdicts
from nexus_engine.training import inputs
from nexus_engine.training.run import train
from nexus_tui.cli import main as cli

GUARD_PAIRS = 12


@pytest.fixture(autouse=True)
def few_general(monkeypatch):
    few = inputs.load_general()[:16]
    monkeypatch.setattr(inputs, "load_general", lambda: few)


def passage(name: str, number: int) -> str:
    return f"{name}: {name} {number}\n{MANUAL[name][number - 1]}"


MARKS = [
    ("the noise of the cooling got worse, why", "filter", 2),
    ("who has another one if I cannot get in", "keys", 1),
    ("it shines red", "lamp", 1),
    ("how do I begin", "pump", 1),
]
WRONG = {"filter": ("pump", 2), "keys": ("lamp", 2), "lamp": ("lamp", 2), "pump": ("filter", 1)}


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A finished run on eight verdicts, its label file and its documents."""
    folder = tmp_path_factory.mktemp("taught")
    documents = write_manual(folder / "docs")
    marks = []
    for question, name, number in MARKS:
        # The answers are those that the base model ranks lower.
        marks.append((question, passage(*WRONG[name]), True))
        marks.append((question, passage(name, number), False))
    path = judge_passages(folder / "labels.jsonl", marks)
    settings = resolve(labels_run_config(path, str(documents)))
    run = RunFolder.create(folder / "run", "x")
    with pytest.MonkeyPatch.context() as patch:
        few = inputs.load_general()[:16]
        patch.setattr(inputs, "load_general", lambda: few)
        events = list(train(settings, run, guard_pairs=GUARD_PAIRS))
    assert isinstance(events[-1], RunFinished), events[-1]
    return run, path, events


def test_a_retrain_puts_marked_answers_first_and_names_its_labels(taught):
    run, path, events = taught
    (started,) = [event for event in events if isinstance(event, RunStarted)]
    fingerprint = read_labels(path).fingerprint
    assert started.labels == run.read_run()["labels"] == fingerprint
    settings = run.read_run()["settings"]
    assert (settings["units"], settings["epochs"], settings["passes_per_epoch"]) == (4, 1, 15)
    found = retrained(run)
    assert found.is_same
    assert found.ranked == 8
    trained = [change for change in found.changes if not change.is_held_out]
    assert all(change.right_after for change in trained)
    assert any(not change.right_before for change in trained)
    questions = [each for each in question_changes(found.changes) if each.part == "train"]
    assert all(each.after <= each.before for each in questions)
    assert any(each.after < each.before for each in questions)


def test_no_sentence_leaves_the_label_file(taught):
    run, _, _ = taught
    for file in run.path.rglob("*"):
        if file.is_file() and file.suffix != ".safetensors":
            text = file.read_text(errors="replace")
            assert not any(question in text for question, _, _ in MARKS), file


def test_later_verdicts_are_judged_too_and_the_change_of_the_file_is_told(taught):
    run, path, _ = taught
    judge_passages(path, [(MARKS[0][0], passage("pump", 1), False)])
    found = retrained(run)
    assert not found.is_same
    assert len(found.changes) == 2 * len(MARKS) + 1


def test_the_commands_show_what_changed(taught, capfd):
    run, _, _ = taught
    assert cli.main(["labels", "changes", str(run.path)]) == 0
    text = capfd.readouterr().out
    turned = Turned.of(retrained(run).changes)
    assert f"{len(turned.right)} turned right" in text
    assert "the best answer rose in" in text
    assert cli.main(["labels", "changes", str(run.path), "--json"]) == 0
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert sum(row["right_after"] for row in rows) == len(turned.right) + len(turned.still_right)
    assert cli.main(["runs", "show", str(run.path)]) == 0
    assert run.read_run()["labels"] in capfd.readouterr().out


def test_a_run_without_labels_says_so(tmp_path):
    run = RunFolder.create(tmp_path / "run", "x")
    settings = resolve(labels_run_config_of_pairs(tmp_path))
    run.write_run({"name": "run", "settings": settings_record(settings)})
    with pytest.raises(RunError, match="was not trained on labels"):
        retrained(run)


def settings_record(settings):
    import msgspec

    return msgspec.to_builtins(settings)


def labels_run_config_of_pairs(tmp_path):
    with LabelFile.open(tmp_path / "p.jsonl", "ann") as labels:
        labels.judge_pair("a", "b", "grade", grade=3)
        labels.judge_passage("q", "p", "unsure")
    return labels_run_config(tmp_path / "p.jsonl", "docs")


def test_the_configuration_follows_the_labels_and_the_last_run(tmp_path):
    config = labels_run_config_of_pairs(tmp_path)
    assert (config.task, config.corpus) == ("pairs", None)
    with LabelFile.open(tmp_path / "p.jsonl", "ann") as labels:
        labels.judge_passage("q", "p", "mark", relevant=True)
        labels.judge_passage("q", "r", "mark", relevant=False)
    config = labels_run_config(tmp_path / "p.jsonl", "docs")
    documents = str(Path("docs").absolute())
    assert (config.task, config.corpus, config.eval_corpus) == ("retrieval", documents, 1000)
    assert labels_run_config(tmp_path / "p.jsonl", "demo-search").corpus == "demo-search"
    pairs = labels_run_config(tmp_path / "p.jsonl", "docs", task="pairs")
    assert (pairs.task, pairs.eval_corpus) == ("pairs", None)
    last = labels_run_config(tmp_path / "p.jsonl", "docs", config_with(config, seed=7))
    assert last.seed == 7
    assert task_of_verdicts([]) is None
    with LabelFile.open(tmp_path / "none.jsonl", "ann") as labels:
        labels.judge_pair("a", "b", "skip")
    with pytest.raises(DataError, match="no label that can be trained on"):
        labels_run_config(tmp_path / "none.jsonl")


def config_with(config, **changes):
    import msgspec

    return msgspec.structs.replace(config, **changes)


def test_the_curve_judges_what_was_not_taught_and_says_how_sure_it_is(tmp_path, monkeypatch):
    path = tmp_path / "l.jsonl"
    with LabelFile.open(path, "ann") as labels:
        for n in range(24):
            a, b = f"the tank {n} is full", f"tank {n} holds {'no' if n % 2 else 'much'} water"
            labels.judge_pair(a, b, "grade", grade=1 if n % 2 else 4)
    settings = resolve(
        config_with(labels_run_config(path), place=("v",), layers=(1,), units=1, epochs=1)
    )
    real = learning_curve.train
    monkeypatch.setattr(
        learning_curve, "train", lambda *given: real(*given, guard_pairs=GUARD_PAIRS)
    )
    lines: list[str] = []
    curve = learning_curve.learning_curve(settings, progress=lines.append)
    taught = sum(verdict.part == "train" for verdict in read_labels(path).verdicts)
    assert [point.examples for point in curve.points] == [0, -(-taught // 4), -(-taught // 2)]
    assert curve.judged == taught - -(-taught // 2)
    assert curve.doubling is not None
    assert curve.doubling.low <= curve.doubling.value <= curve.doubling.high
    assert curve.points[-1].score - curve.points[-2].score == pytest.approx(curve.doubling.value)
    assert f"on {curve.judged} that were not taught" in curve.sentence
    assert lines == ["training on 25% of the labels", "training on 50% of the labels"]


def test_too_few_labels_train_no_curve(tmp_path, monkeypatch):
    monkeypatch.setattr(learning_curve, "train", None)
    path = tmp_path / "l.jsonl"
    with LabelFile.open(path, "ann") as labels:
        for n in range(8):
            labels.judge_pair(f"a {n}", f"b {n}", "grade", grade=n % 6)
    curve = learning_curve.learning_curve(resolve(labels_run_config(path)))
    assert curve.verdict == "too few"
    assert "Too few labels" in curve.sentence


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [((0.03, 0.01, 0.05), "more"), ((0.01, -0.02, 0.04), "unclear"), ((0, -0.01, 0.005), "enough")],
)
def test_the_curve_tells_no_more_than_its_interval(interval, verdict):
    points = tuple(learning_curve.CurvePoint(n, 0.5) for n in (0, 8, 16))
    found = learning_curve.Interval(*interval)
    curve = learning_curve.LearningCurve("nDCG@10", points, 20, found)
    assert curve.verdict == verdict
    words = {"more": "about as much again", "unclear": "do not tell", "enough": "You can stop"}
    assert words[verdict] in curve.sentence
