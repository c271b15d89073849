"""Which questions and pairs of a label file judge a run, and documents beside a label file."""

from __future__ import annotations

import numpy as np
import pytest
from label_support import MANUAL, judge_passages, write_manual
from question_support import known, rejected

from nexus_engine.data import load_data
from nexus_engine.data.label_splits import MIN_HELD_OUT
from nexus_engine.data.questions import label_sides
from nexus_engine.data.questions.loading import load_questions
from nexus_engine.data.train_share import rows_of_share, with_train_share
from nexus_engine.errors import DataError
from nexus_engine.labels.label_file import LabelFile
from nexus_engine.labels.parts import Parts
from nexus_engine.labels.reading import read_labels
from nexus_engine.model.plain_tokenizer import plain_tokenizer


def asked(part: str, count: int, words: str = "where is number") -> list[str]:
    """Questions that belong to `part`."""
    numbered = (f"{words} {n}" for n in range(10_000))
    found = (text for text in numbered if Parts().of_question(text) == part)
    return [next(found) for _ in range(count)]


def load(path, documents, base_model):
    tokenizer = plain_tokenizer(base_model.folder)
    return load_questions(str(path), tokenizer=tokenizer, max_tokens=64, corpus=str(documents))


def test_few_labels_are_judged_by_what_was_taught_and_by_headings(tmp_path, base_model):
    first, second = asked("train", 2)
    (held_out,) = asked("test", 1)
    passage = f"pump: pump 1\n{MANUAL['pump'][0]}"
    apart = "A passage that stands in no document."
    path = judge_passages(
        tmp_path / "l.jsonl",
        [
            (first, passage, True),
            (first, f"lamp: lamp 2\n{MANUAL['lamp'][1]}", False),
            (second, apart, True),
            (held_out, f"keys: keys 1\n{MANUAL['keys'][0]}", True),
        ],
    )
    data = load(path, write_manual(tmp_path / "docs"), base_model)
    assert data.train.questions.to_pylist() == [first, second]
    assert data.dev.questions.to_pylist()[:2] == [first, second]
    assert data.test.questions.to_pylist()[0] == held_out
    headings = sum(map(len, MANUAL.values()))
    assert len(data.passages) == headings + 1
    assert len(data.dev) - 2 + len(data.test) - 1 == headings
    assert known(data)[first] == {passage}
    assert len(rejected(data)[first]) == 1
    assert known(data)["lamp: lamp 1"] == {f"lamp: lamp 1\n{MANUAL['lamp'][0]}"}
    assert data.labels == read_labels(path).fingerprint
    notes = "\n".join(data.notes)
    assert "1 held-out question so far, too few to choose a model by" in notes
    assert f"dev ranks the 2 taught questions and {len(data.dev) - 2} headings" in notes
    assert "1 judged passage stands in none of the documents" in notes
    assert first not in notes
    assert data.weak_train is None


def test_nothing_that_judges_moves_as_labels_grow(tmp_path, base_model, monkeypatch):
    monkeypatch.setattr(label_sides, "STAND_INS", 2)
    documents, path = write_manual(tmp_path / "docs"), tmp_path / "l.jsonl"
    passage = f"pump: pump 1\n{MANUAL['pump'][0]}"
    seen: dict[str, str] = {}
    stand_ins = None
    train, dev, test = asked("train", 30), asked("dev", 20), asked("test", 20)
    for step in range(0, 20, 5):
        new = [*train[step : step + 5], *dev[step : step + 5], *test[step : step + 5]]
        judge_passages(path, [(question, passage, True) for question in new])
        data = load(path, documents, base_model)
        taught = data.train.questions.to_pylist()
        held_out = set(data.test.questions.to_pylist()) & {*dev, *test}
        for question in taught:
            assert seen.setdefault(question, "train") == "train"
        for question in held_out:
            assert seen.setdefault(question, "held out") == "held out"
        few = 2 * (step + 5) < MIN_HELD_OUT
        if few:
            judging = data.dev.questions.to_pylist()[len(taught) :]
            assert stand_ins in (None, judging)
            stand_ins = judging
            assert len(judging) == 2
        else:
            assert not set(taught) & set(data.dev.questions.to_pylist())
    assert stand_ins is not None
    assert set(data.dev.questions.to_pylist()) == set(dev)
    assert set(data.test.questions.to_pylist()) == set(test)


def test_without_documents_the_taught_questions_judge(tmp_path):
    questions = asked("train", 2)
    path = judge_passages(
        tmp_path / "l.jsonl", [(question, question + " here", True) for question in questions]
    )
    data = load_questions(str(path))
    assert data.test is data.dev
    assert data.dev.questions.to_pylist() == questions
    assert "test ranks the same" in "\n".join(data.notes)


def test_documents_of_other_kinds(tmp_path, base_model):
    path = judge_passages(tmp_path / "l.jsonl", [(asked("train", 1)[0], "one line", True)])
    lines = tmp_path / "lines.txt"
    lines.write_text("one line\n\nanother line\n")
    assert load(path, lines, base_model).passages.to_pylist() == ["one line", "another line"]
    assert len(load(path, "demo-search", base_model).passages) == 449
    with pytest.raises(DataError, match="is a file of data and no documents"):
        load(path, path, base_model)
    with pytest.raises(DataError, match=r"does not exist|no such"):
        load(path, tmp_path / "missing", base_model)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no text"):
        load(path, tmp_path / "empty", base_model)
    with pytest.raises(DataError, match="leave out --corpus"):
        load("demo-search", lines, base_model)


def graded(path, count: int):
    with LabelFile.open(path, "ann") as labels:
        for n in range(count):
            labels.judge_pair(f"left {n}", f"right {n}", "grade", grade=n % 6)
    return path


def test_few_graded_pairs_are_judged_by_what_was_taught(tmp_path):
    path = graded(tmp_path / "l.jsonl", 20)
    data = load_data(str(path))
    parts = [verdict.part for verdict in read_labels(path).verdicts]
    assert data.dev is data.train
    assert len(data.train) == parts.count("train")
    assert len(data.test) == len(parts) - len(data.train)
    assert data.labels == read_labels(path).fingerprint
    assert "dev ranks the" in "\n".join(data.notes)
    assert "also occur in train" not in "\n".join(data.notes)


def test_a_share_of_train_is_nested_and_judges_no_more_than_it_teaches(tmp_path, base_model):
    data = load_data(str(graded(tmp_path / "l.jsonl", 40)))
    half, quarter = rows_of_share(data, 0.5), rows_of_share(data, 0.25)
    assert set(quarter) < set(half)
    shared = with_train_share(data, 0.25)
    assert shared.dev is shared.train
    assert len(shared.train) == len(quarter) == -(-len(data.train) // 4)
    assert with_train_share(data, 1.0) is data

    passage = f"pump: pump 1\n{MANUAL['pump'][0]}"
    marks = [(question, passage, True) for question in asked("train", 12)]
    path = judge_passages(tmp_path / "q.jsonl", marks)
    data = load(path, write_manual(tmp_path / "docs"), base_model)
    shared = with_train_share(data, 0.5)
    assert len(shared.train) == 6
    assert len(shared.dev) == len(data.dev) - 6
    assert set(shared.train.questions.to_pylist()) < set(shared.dev.questions.to_pylist())
    left_out = np.setdiff1d(np.arange(12), rows_of_share(data, 0.5))
    untaught = set(data.train.questions.take(left_out).to_pylist())
    assert not untaught & set(shared.dev.questions.to_pylist())
