"""The demo set is large enough and scored by the rubric; its splits share no topic or sentence."""

import csv
from collections import Counter
from pathlib import Path

import pytest

ASSETS = Path(__file__).resolve().parents[2] / "assets"


def rows(name):
    with (ASSETS / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def splits():
    return {name: rows(f"demo/{name}.csv") for name in ("train", "dev", "test")}


def normal(sentence):
    return " ".join(sentence.casefold().split())


def test_size_and_scores(splits):
    assert sum(len(split) for split in splits.values()) >= 600
    for split in splits.values():
        scores = Counter(float(row["score"]) for row in split)
        assert set(scores) <= {half / 2 for half in range(11)}
        for grade in range(6):
            assert scores[grade] >= len(split) * 0.08, scores


def test_no_sentence_and_no_topic_is_in_two_splits(splits):
    for key in ("sentences", "topics"):
        seen = {
            name: {normal(r["sentence1"]) for r in split} | {normal(r["sentence2"]) for r in split}
            if key == "sentences"
            else {r["topic"] for r in split}
            for name, split in splits.items()
        }
        assert not seen["train"] & seen["dev"]
        assert not seen["train"] & seen["test"]
        assert not seen["dev"] & seen["test"]


def test_all_four_domains_are_in_every_split(splits):
    for split in splits.values():
        domains = {row["topic"].split(":")[0] for row in split}
        assert domains == {"clinical", "finance", "records", "field"}


def test_the_guard_shares_no_sentence_with_the_demo_set(splits):
    guard = rows("guard.csv")
    assert len(guard) >= 200
    trained = {normal(r[c]) for s in splits.values() for r in s for c in ("sentence1", "sentence2")}
    assert not {normal(r[c]) for r in guard for c in ("sentence1", "sentence2")} & trained
