"""The part of a verdict: stable, and no sentence in two."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest

from nexus_engine.labels.label_file import LabelFile
from nexus_engine.labels.parts import Parts
from nexus_engine.labels.reading import read_labels
from nexus_engine.labels.verdicts import PairVerdict, text_key


def graded(parts, a, b):
    verdict = PairVerdict(
        id=f"{a} {b}", time="", rater="ann", a=a, b=b, answer="skip", part=parts.of_pair(a, b)
    )
    parts.note(verdict)
    return verdict


def test_one_in_five_is_held_out():
    parts = Parts()
    found = Counter(parts.of_pair(f"one {n}", f"two {n}") for n in range(4000))
    assert 330 < found["dev"] < 470
    assert 330 < found["test"] < 470
    assert found["train"] == 4000 - found["dev"] - found["test"]
    questions = Counter(parts.of_question(f"question {n}?") for n in range(4000))
    assert 660 < questions["dev"] + questions["test"] < 940


def test_a_question_has_one_part_however_it_is_written():
    assert len({Parts().of_question(text) for text in ("What  is it?", "what is it?")}) == 1


@pytest.mark.parametrize("seed", range(20))
def test_no_sentence_lies_in_two_parts_and_none_moves(seed):
    draw, parts = random.Random(seed), Parts()
    pairs = [(draw.randrange(30), draw.randrange(30)) for _ in range(5 * (seed + 1))]
    verdicts = [graded(parts, f"s{a}", f"s{b}") for a, b in pairs]
    found = {}
    for verdict in verdicts:
        if verdict.part != "unused":
            for text in (verdict.a, verdict.b):
                assert found.setdefault(text_key(text), verdict.part) == verdict.part
    for verdict in verdicts:
        assert parts.of_pair(verdict.b.upper(), verdict.a) == verdict.part


def test_a_pair_between_two_parts_is_unused():
    parts = Parts()
    by_part = {}
    for number in range(100):
        verdict = graded(parts, f"one {number}", f"two {number}")
        by_part.setdefault(verdict.part, verdict)
    for first, second in pairwise(by_part.values()):
        assert parts.of_pair(first.a, second.a) == "unused"
    assert graded(parts, by_part["dev"].a, "new").part == "dev"
    assert parts.of_pair("new", "newer") == "dev"


def test_a_part_outlives_undo_replacement_and_reopening(tmp_path):
    path = tmp_path / "labels.jsonl"
    with LabelFile.open(path, "ann") as labels:
        first = [labels.judge_pair(f"one {n}", f"two {n}", "skip").part for n in range(30)]
        for _ in range(30):
            labels.undo()
    with LabelFile.open(path, "bob") as labels:
        again = [labels.judge_pair(f"two {n}", f"ONE {n}", "skip").part for n in range(30)]
        joined = [labels.judge_pair(f"one {n}", f"three {n}", "skip").part for n in range(30)]
    assert first == again == joined
    assert {verdict.part for verdict in read_labels(path).verdicts} >= {"train", "dev"}
