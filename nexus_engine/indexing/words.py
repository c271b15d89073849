"""Words of texts and queries, and BM25.

A word is a run of letters and digits without case. Each reaches SQLite's FTS5 as one token, so that
no text of a query can be taken for an operator of its language.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

__all__ = ["bm25", "distinct_words", "idf", "words_of"]

WORD = re.compile(r"[^\W_]+")
MAX_WORD = 64
"""Longer runs are encoded data, not words."""
COMMON_LIST = (
    "a an and are as at be by can do does for from had has have how i if in into is it its may not "
    "of on or our so than that the their them then there these they this to was we were what when "
    "where which who why will with would you your"
)
COMMON = frozenset(COMMON_LIST.split())
"""English words that stand in too many passages to tell them apart."""
K1, B = 1.2, 0.75
"""BM25's usual values, those of Lucene and FTS5."""


def words_of(text: str) -> list[str]:
    """The words of `text` in order, without the most common English ones."""
    return [
        word
        for word in WORD.findall(text.casefold())
        if word not in COMMON and len(word) <= MAX_WORD
    ]


def distinct_words(text: str) -> list[str]:
    """Each word of `text` once, in order of its first place."""
    return list(dict.fromkeys(words_of(text)))


def idf(passages: int, with_word: int) -> float:
    """The weight of a word that `with_word` of `passages` hold; 0 or more."""
    return math.log(1 + (passages - with_word + 0.5) / (with_word + 0.5))


def bm25(words: Sequence[str], weights: Mapping[str, float], mean_length: float) -> float:
    """BM25 (Robertson and Zaragoza 2009) of a passage of `words` for a query.

    `weights` is the idf of each word of the query, `mean_length` the mean words of a passage.
    """
    counts: dict[str, int] = {}
    for word in words:
        if word in weights:
            counts[word] = counts.get(word, 0) + 1
    norm = K1 * (1 - B + B * len(words) / mean_length) if mean_length > 0 else K1
    return sum(weights[word] * count * (K1 + 1) / (count + norm) for word, count in counts.items())
