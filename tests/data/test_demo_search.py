"""The second demo is large enough, has its answers, and shares no topic between its splits."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from nexus_engine.data.questions.loading import load_questions
from nexus_engine.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "assets" / "demo-search"
WORLDS = {"clinic", "finance", "records", "field"}


def normal(text):
    return " ".join(text.casefold().split())


def lines(name):
    return [json.loads(line) for line in (FOLDER / name).read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def judged():
    splits = {}
    for split in ("train", "dev", "test"):
        with (FOLDER / "qrels" / f"{split}.tsv").open(newline="") as file:
            splits[split] = list(csv.DictReader(file, delimiter="\t"))
    return splits


def test_it_loads_by_its_name_with_the_sizes_that_were_planned():
    data = load_questions("demo-search")
    assert data.name == "demo-search"
    assert [len(split) for split in (data.train, data.dev, data.test)] == [360, 100, 100]
    assert len(data.passages) == 448
    assert data.weak_train is None
    assert data.counts.respelled == data.counts.repeated == 0
    assert data.notes[0] == (
        "560 questions with one passage each; ranking loss; "
        "judged by nDCG@10 on 100 held-out questions"
    )
    assert not any("also" in note for note in data.notes)


def test_a_path_of_its_name_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        load_questions("./demo-search")


@pytest.mark.parametrize("name", ["demo", "stsb"])
def test_the_sets_of_graded_pairs_are_no_questions(name):
    with pytest.raises(DataError, match=f"{name}: holds graded pairs; train on them with --task"):
        load_questions(name)


def test_every_id_is_used_once_and_known(judged):
    passages, questions = lines("corpus.jsonl"), lines("queries.jsonl")
    ids = [row["_id"] for row in passages + questions]
    assert len(set(ids)) == len(ids) == 448 + 560
    rows = [row for split in judged.values() for row in split]
    assert sorted(row["query-id"] for row in rows) == sorted(row["_id"] for row in questions)
    assert {row["corpus-id"] for row in rows} == {row["_id"] for row in passages}
    assert {row["score"] for row in rows} == {"1"}


def test_no_text_stands_twice():
    for rows in (lines("corpus.jsonl"), lines("queries.jsonl")):
        assert len({normal(row["text"]) for row in rows}) == len(rows)


def test_topics_of_four_passages_lie_in_one_split_each(judged):
    topics = {row["_id"]: row["metadata"]["topic"] for row in lines("corpus.jsonl")}
    assert set(Counter(topics.values()).values()) == {4}
    assert all(len({topics[key] for key in topics if key[:-2] == own[:-2]}) == 1 for own in topics)
    of = {name: {topics[row["corpus-id"]] for row in rows} for name, rows in judged.items()}
    assert not (of["train"] & of["dev"] | of["train"] & of["test"] | of["dev"] & of["test"])


def test_each_world_has_a_quarter_of_each_split(judged):
    for rows in judged.values():
        worlds = Counter(row["query-id"].split("-")[0] for row in rows)
        assert set(worlds) == WORLDS
        assert len(set(worlds.values())) == 1


def test_it_shares_no_sentence_with_the_guard_or_the_first_demo():
    texts = {
        normal(row["text"]) for name in ("corpus", "queries") for row in lines(f"{name}.jsonl")
    }
    for name in ("guard.csv", "demo/train.csv", "demo/dev.csv", "demo/test.csv"):
        with (ROOT / "assets" / name).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert not texts & {normal(row[c]) for row in rows for c in ("sentence1", "sentence2")}


def test_it_ships_in_the_wheel():
    project = (ROOT / "pyproject.toml").read_text()
    assert '"assets/demo-search" = "nexus_engine/assets/demo-search"' in project
