"""A label file as data: parts are splits that never move, and nothing is cut anew."""

from __future__ import annotations

import pytest
from label_texts import pairs_of, questions_of, write_labels
from question_support import known, rejected, split_names

from nexus_engine.config import TrainConfig
from nexus_engine.data import load_data, load_split, load_unscored
from nexus_engine.data.questions.loading import load_questions
from nexus_engine.data.reading.formats import FileKind, kind_of_file
from nexus_engine.data.reading.sources import file_source
from nexus_engine.data.task import task_of
from nexus_engine.errors import ConfigError, DataError
from nexus_engine.labels.label_file import LabelFile
from nexus_engine.named_task import with_task

MANY = {"train": 30, "dev": 20, "test": 21}
FEW = {"train": 12, "dev": 13, "test": 9}


def texts(pairs):
    return set(zip(pairs.first.to_pylist(), pairs.second.to_pylist(), strict=True))


def first(part, number):
    return {pair for _, pair in zip(range(number), pairs_of(part), strict=False)}


def test_the_parts_of_pairs_are_the_splits(tmp_path):
    data = load_data(str(write_labels(tmp_path / "labels.jsonl", pairs=MANY)))
    for part, split in (("train", data.train), ("dev", data.dev), ("test", data.test)):
        assert texts(split) == first(part, MANY[part])
    assert data.score_range == (0, 5)
    assert sorted(set(data.train.scores.tolist())) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert any(note.startswith("labels ") and "71 verdicts of ann" in note for note in data.notes)
    assert "parts as they were judged: 30 train, 20 dev, 21 test" in data.notes
    assert data.questions == ()
    assert len(load_split(str(tmp_path / "labels.jsonl"), "all")) == 71


def test_few_held_out_pairs_judge_together_and_none_is_trained_on(tmp_path):
    data = load_data(str(write_labels(tmp_path / "labels.jsonl", pairs=FEW)), seed=3)
    assert texts(data.dev) == texts(data.test) == first("dev", 13) | first("test", 9)
    assert texts(data.train) == first("train", 12)
    assert any("22 held-out pairs are dev and test in one" in note for note in data.notes)
    assert len(load_split(str(tmp_path / "labels.jsonl"), "all")) == 34


def test_no_verdict_moves_as_labels_grow(tmp_path):
    path = write_labels(tmp_path / "labels.jsonl", pairs=FEW)
    before = load_data(str(path))
    write_labels(path, pairs=MANY)
    after = load_data(str(path))
    assert texts(before.train) <= texts(after.train)
    assert texts(before.dev) <= texts(after.dev) | texts(after.test)


def test_unsure_and_skipped_pairs_are_left_out_and_counted(tmp_path):
    path = write_labels(tmp_path / "labels.jsonl", pairs=MANY)
    with LabelFile.open(path, "ann") as labels:
        labels.judge_pair("unsure", "of it", "unsure")
        labels.judge_pair("skipped", "it", "skip")
        labels.judge_pair(*next(pairs_of("train")), "skip")  # in the place of a grade
    data = load_data(str(path))
    assert len(data.train) == 29
    assert {"1 left out: unsure", "2 left out: skipped"} <= set(data.notes)


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ({"train": 1, "dev": 9}, "1 pair to train on, without two grades; judge more"),
        ({}, "no label that can be trained on"),
    ],
)
def test_too_few_pairs_are_one_line(tmp_path, pairs, reason):
    with pytest.raises(DataError, match=reason):
        load_data(str(write_labels(tmp_path / "labels.jsonl", pairs=pairs)))


def test_marked_passages_are_answers_and_negatives(tmp_path):
    path = write_labels(tmp_path / "labels.jsonl", questions=MANY)
    data = load_questions(str(path))
    names = split_names(data)
    for part, number in MANY.items():
        expected = {text for _, text in zip(range(number), questions_of(part), strict=False)}
        assert {text for text, name in names.items() if name == part} == expected
    for question, answers in known(data).items():
        room = question.split()[-1][:-1]
        assert answers == {f"Room {room} holds the paintings, says the plan."}
        assert rejected(data)[question] == {f"The cafe beside room {room} sells tea."}
    assert len(data.passages) == 2 * 71
    assert "parts as they were judged: 30 train, 20 dev, 21 test questions" in data.notes


def test_few_held_out_questions_judge_together(tmp_path):
    path = write_labels(tmp_path / "labels.jsonl", questions=FEW)
    with LabelFile.open(path, "ann") as labels:
        labels.judge_passage(next(questions_of("train")), "Who knows.", "unsure")
        labels.judge_passage("Without an answer?", "No.", "mark", relevant=False)
    data = load_questions(str(path), seed=7)
    assert len(data.train) == 12
    assert data.test is data.dev
    assert len(data.dev) == 22
    assert data.summary.startswith("34 questions with one passage each, 34 with negatives")
    assert {"1 left out: unsure", "1 question without an answer left out"} <= set(data.notes)


@pytest.mark.parametrize(
    ("questions", "reason"),
    [
        ({"dev": 9}, "no question to train on"),
        ({}, "no label that can be trained on"),
    ],
)
def test_too_few_questions_are_one_line(tmp_path, questions, reason):
    with pytest.raises(DataError, match=reason):
        load_questions(str(write_labels(tmp_path / "labels.jsonl", questions=questions)))


def test_the_task_is_that_of_the_labels_or_asked_for(tmp_path):
    pairs = write_labels(tmp_path / "pairs.jsonl", pairs=FEW)
    questions = write_labels(tmp_path / "questions.jsonl", questions=FEW)
    both = write_labels(tmp_path / "both.jsonl", pairs=FEW, questions=FEW)
    assert task_of(str(pairs)) == "pairs"
    assert task_of(str(questions)) == "retrieval"
    choose = "both.jsonl: holds 34 pairs and 68 passages for questions; choose with --task pairs"
    with pytest.raises(DataError, match=choose):
        with_task(TrainConfig(data=str(both)))
    assert len(load_data(str(both)).train) == len(load_questions(str(both)).train) == 12
    with pytest.raises(DataError, match=r"68 passages for questions; train .* --task retrieval"):
        load_data(str(questions))
    with pytest.raises(DataError, match=r"but 34 pairs; train on them with --task pairs"):
        load_questions(str(pairs))


def test_a_label_file_is_told_by_its_first_line(tmp_path):
    path = write_labels(tmp_path / "any.name", pairs=FEW)
    assert kind_of_file(file_source(path), path.name) is FileKind.LABELS
    assert len(load_unscored(path)) == 34
    with pytest.raises(ConfigError, match="both sentence1 and"):
        load_data(str(path), columns={"sentence1": "a"})
    with pytest.raises(DataError, match="leave --columns"):
        load_data(str(path), columns={"score": "grade"})


def test_a_torn_label_file_is_read_and_says_so(tmp_path):
    path = write_labels(tmp_path / "labels.jsonl", pairs=MANY)
    path.write_bytes(path.read_bytes() + b'{"id": "1')
    assert any("1 damaged lines do not count" in note for note in load_data(str(path)).notes)
