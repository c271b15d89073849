"""A sampled corpus: every answer is in it, and the rest is random but fixed by the seed."""

from __future__ import annotations

import numpy as np
import pytest

from nexus_engine.data.questions.answers import Answers
from nexus_engine.scoring.corpus_sample import places_among, sample_corpus

DEV = Answers.of([[3, 90], [41]], [[1.0, 2.0], [1.0]])
TEST = Answers.of([[41], [7]])


def test_all_answers_and_a_random_rest():
    sample = sample_corpus([DEV, TEST], 100, 30, seed=1)
    assert len(sample.rows) == 30
    assert (np.diff(sample.rows) > 0).all()
    assert {3, 90, 41, 7} <= set(sample.rows.tolist())
    assert sample.note == (
        "judged against 30 of 100 passages: 4 answers and 26 at random; scores are higher than "
        "against all"
    )


def test_the_rest_is_spread_over_the_corpus():
    counts = np.zeros(100)
    for seed in range(400):
        counts[sample_corpus([DEV], 100, 30, seed).rows] += 1
    assert counts[[3, 41, 90]].tolist() == [400] * 3
    rest = np.delete(counts, [3, 41, 90])
    assert rest.min() > 70  # 400 · 27 / 97 = 111 each
    assert rest.max() < 155


def test_the_seed_decides_and_a_larger_sample_holds_the_smaller():
    small = sample_corpus([DEV], 1000, 50, seed=4).rows
    assert np.array_equal(small, sample_corpus([DEV], 1000, 50, seed=4).rows)
    assert not np.array_equal(small, sample_corpus([DEV], 1000, 50, seed=5).rows)
    assert set(small.tolist()) <= set(sample_corpus([DEV], 1000, 80, seed=4).rows.tolist())


@pytest.mark.parametrize("n", [100, 1000])
def test_a_corpus_that_is_small_enough_is_taken_as_it_is(n):
    sample = sample_corpus([DEV, TEST], 100, n, seed=0)
    assert sample.rows.tolist() == list(range(100))
    assert sample.note == ""


def test_answers_stay_even_beyond_the_number():
    sample = sample_corpus([DEV, TEST], 100, 2, seed=0)
    assert sample.rows.tolist() == [3, 7, 41, 90]
    assert "judged against 4 of 100 passages: 4 answers and 0 at random" in sample.note


def test_answers_follow_into_the_sample():
    sample = sample_corpus([DEV, TEST], 100, 20, seed=2)
    moved = sample.answers(DEV)
    assert sample.rows[moved.rows.values].tolist() == DEV.rows.values.tolist()
    assert moved.rows.offsets.tolist() == DEV.rows.offsets.tolist()
    assert moved.gains.tolist() == DEV.gains.tolist()


def test_a_passage_outside_the_sample_has_no_place():
    rows = np.array([3, 7, 41, 90])
    assert places_among(rows, np.array([90, 0, 7, 8, 91, 3])).tolist() == [3, -1, 1, -1, -1, 0]
    assert places_among(rows[:0], np.array([1])).tolist() == [-1]
