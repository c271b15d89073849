"""Kappa against tables of textbooks and against another library, and who disagrees on what."""

from __future__ import annotations

import random

import pytest

from nexus_engine.labels.agreement import (
    agreements,
    cohen_kappa,
    disagreements,
    weighted_kappa,
)
from nexus_engine.labels.label_file import LabelFile
from nexus_engine.labels.reading import by_rater, read_labels


def answers(table):
    """Two raters' answers from a table whose cell [i][j] counts items with i and j."""
    cells = [
        (i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)
    ]
    first, second = zip(*cells, strict=True)
    return first, second


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        # Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions, 18.1: 100 patients.
        ([[75, 1, 4], [5, 4, 1], [0, 0, 10]], 0.676),
        # 50 grant applications: 0.70 of them alike where chance gives 0.50.
        ([[20, 5], [10, 15]], 0.400),
        ([[45, 15], [25, 15]], 0.130),
        ([[25, 35], [5, 35]], 0.259),
        ([[0, 5], [5, 0]], -1.0),
    ],
)
def test_cohens_kappa_of_known_tables(table, kappa):
    assert cohen_kappa(*answers(table)) == pytest.approx(kappa, abs=5e-4)


def test_weighted_kappa_by_hand():
    # Of 10 items 8 are alike, one is 1 apart and one 2: observed (1 + 4) / 10 = 0.5. Both raters
    # give 0, 1 and 2: (4, 3, 3) and (3, 4, 3). By chance: 4·4 + 4·3·4 + 3·3 + 3·3 + 3·3·4 + 3·4
    # = 130, over 100: 1.3. So 1 − 0.5 / 1.3.
    first, second = answers([[3, 0, 1], [0, 3, 0], [0, 1, 2]])
    assert weighted_kappa(first, second) == pytest.approx(1 - 0.5 / 1.3)
    assert weighted_kappa(first, second) == weighted_kappa(second, first)


@pytest.mark.slow  # importing it takes seconds
def test_kappa_equals_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    draw = random.Random(0)
    for _ in range(30):
        first = [draw.randrange(6) for _ in range(40)]
        second = [min(5, max(0, grade + draw.choice((-1, 0, 0, 0, 1, 3)))) for grade in first]
        theirs = metrics.cohen_kappa_score(first, second)
        assert cohen_kappa(first, second) == pytest.approx(theirs, abs=1e-12)
        theirs = metrics.cohen_kappa_score(first, second, weights="quadratic")
        assert weighted_kappa(first, second) == pytest.approx(theirs, abs=1e-12)


def test_kappa_is_undefined_where_both_gave_one_answer():
    assert cohen_kappa([], []) is None
    assert cohen_kappa([1, 1], [1, 1]) is None
    assert cohen_kappa([1, 1, 1], [1, 1, 0]) == 0
    with pytest.raises(ValueError, match="shorter"):
        weighted_kappa([1, 2], [1])


@pytest.fixture
def raters(tmp_path):
    given = {
        "ann": [("a", 1), ("b", 5), ("c", 3), ("only ann", 2)],
        "bob": [("A", 1), ("b", 4), ("c", 0), ("only bob", 2)],
    }
    for rater, grades in given.items():
        with LabelFile.open(tmp_path / f"{rater}.jsonl", rater) as labels:
            for text, grade in grades:
                labels.judge_pair(text, "other", "grade", grade=grade)
            labels.judge_pair("x", "other", "same", same=rater == "ann")
            labels.judge_pair("y", "other", "unsure" if rater == "ann" else "skip")
            labels.judge_passage("q", "p", "mark", relevant=True)
    return [read_labels(tmp_path / f"{rater}.jsonl") for rater in given]


def test_two_raters_are_compared_on_what_both_answered(raters):
    found = {each.kind: each for each in agreements(by_rater(raters))}
    assert {kind: (each.items, each.equal) for kind, each in found.items()} == {
        "grades": (3, 1),
        "same": (1, 0),
        "answers": (1, 1),
    }
    assert found["grades"].raters == ("ann", "bob")
    assert found["grades"].kappa == pytest.approx(weighted_kappa([1, 5, 3], [1, 4, 0]))
    assert found["answers"].kappa is None
    differing = disagreements(by_rater(raters))
    said = [[getattr(v, "grade", None) for v in each.verdicts] for each in differing]
    assert said == [[5, 4], [3, 0], [None, None]]
    assert not any(each.is_settled for each in differing)


def test_a_settled_disagreement_says_so_and_does_not_count_as_a_rater(raters, tmp_path):
    with LabelFile.open(tmp_path / "settled.jsonl", "eve") as labels:
        labels.judge_pair("other", "c", "grade", grade=2, settled=True)
    files = [*raters, read_labels(tmp_path / "settled.jsonl")]
    assert len(agreements(by_rater(files))) == 3
    assert [each.is_settled for each in disagreements(by_rater(files))] == [False, True, False]


def test_a_rater_of_two_files_is_compared_with_himself(tmp_path):
    for name, grade in (("monday", 1), ("tuesday", 2)):
        with LabelFile.open(tmp_path / f"{name}.jsonl", "ann") as labels:
            labels.judge_pair("a", "b", "grade", grade=grade)
    files = [read_labels(tmp_path / f"{name}.jsonl") for name in ("monday", "tuesday")]
    assert [each.raters for each in agreements(by_rater(files))] == [
        ("ann in monday.jsonl", "ann in tuesday.jsonl")
    ]
