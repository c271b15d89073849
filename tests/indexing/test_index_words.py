"""Words, BM25 and fusion."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nexus_engine.indexing.searching import fuse
from nexus_engine.indexing.words import bm25, distinct_words, idf, words_of


def test_words_are_runs_of_letters_and_digits_without_case_and_common_words():
    assert words_of("The Café's B12-level, and snake_case!") == [
        "café", "s", "b12", "level", "snake", "case",
    ]  # fmt: skip
    assert distinct_words("Heart heart HEART rate") == ["heart", "rate"]
    assert words_of('"is" AND (the) OR *') == []
    assert words_of("x" * 65) == []


def test_bm25_is_the_published_formula():
    # 4 passages, mean length 3; "gout" in 1 of them, "pain" in 2.
    weights = {"gout": idf(4, 1), "pain": idf(4, 2)}
    assert weights["gout"] == pytest.approx(math.log(1 + 3.5 / 1.5))
    value = bm25(["gout", "pain", "pain", "knee"], weights, 3.0)
    norm = 1.2 * (1 - 0.75 + 0.75 * 4 / 3)
    expected = weights["gout"] * 2.2 / (1 + norm) + weights["pain"] * 2 * 2.2 / (2 + norm)
    assert value == pytest.approx(expected)
    assert bm25(["knee"], weights, 3.0) == 0


def test_fusion_sums_weighted_reciprocal_ranks():
    by_vector, by_word = np.array([7, 3, 9]), np.array([3, 5])
    # 3: 1/62 + 1/61; 7: 1/61; 5: 1/62; 9: 1/63
    assert fuse(by_vector, by_word, 1.0).tolist() == [3, 7, 5, 9]
    # With a tenth: 3: 1/62 + 0.1/61; 7: 1/61; 9: 1/63; 5: 0.1/62
    assert fuse(by_vector, by_word, 0.1).tolist() == [3, 7, 9, 5]
    assert fuse(by_vector, by_word, 0.01).tolist() == [7, 3, 9, 5]
    assert fuse(np.array([4, 1]), np.array([1, 4]), 1.0).tolist() == [4, 1]
