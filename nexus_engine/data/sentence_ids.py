"""Number the sentences, so that equal ones are found within a split and across splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexus_engine.data.pairs import Pairs

__all__ = ["NumberedPairs", "count_contradictions", "count_shared_sentences", "number_sentences"]

SLICE_ROWS = 1 << 16
UNEVEN = r"[\x00-\x1f\x7f]|  |^ | $"
"""Matches an ASCII sentence that may hold whitespace other than single spaces between words."""


@dataclass(frozen=True, slots=True, eq=False)
class NumberedPairs:
    """A split with each sentence replaced by its number; equal sentences have equal numbers."""

    first: NDArray[np.int64]
    """(n,) in 0..total-1."""
    second: NDArray[np.int64]
    """(n,) in 0..total-1."""
    total: int
    """Number of distinct sentences in all splits that were numbered together."""

    def present(self) -> NDArray[np.bool_]:
        """(total,) whether each sentence occurs in this split."""
        occurs = np.zeros(self.total, dtype=np.bool_)
        occurs[self.first] = True
        occurs[self.second] = True
        return occurs


def number_sentences(splits: Sequence[Pairs]) -> list[NumberedPairs]:
    """Number the sentences of all `splits` together.

    Sentences count as equal if they differ only in case (Unicode case folding) and whitespace.
    """
    # large_string: the dictionary of a big file may hold more than 2 GB.
    chunks = [
        _normalised(column.slice(start, SLICE_ROWS)).cast(pa.large_string())
        for pairs in splits
        for column in (pairs.first, pairs.second)
        for start in range(0, len(column), SLICE_ROWS)
    ]
    encoded = pa.chunked_array(chunks, pa.large_string()).dictionary_encode()
    parts = [chunk.indices.to_numpy() for chunk in encoded.chunks]
    total = len(encoded.chunk(0).dictionary) if parts else 0
    numbers = np.concatenate(parts).astype(np.int64) if parts else np.empty(0, np.int64)
    numbered, start = [], 0
    for pairs in splits:
        middle, end = start + len(pairs), start + 2 * len(pairs)
        numbered.append(NumberedPairs(numbers[start:middle], numbers[middle:end], total))
        start = end
    return numbered


def count_shared_sentences(split: NumberedPairs, other: NumberedPairs) -> int:
    """Count the distinct sentences of `split` that also occur in `other`."""
    return int((split.present() & other.present()).sum())


def count_contradictions(
    splits: Sequence[NumberedPairs], scores: Sequence[NDArray[np.float32]]
) -> int:
    """Count the pairs, in either order, that occur more than once with different scores."""
    first = np.concatenate([split.first for split in splits])
    second = np.concatenate([split.second for split in splits])
    low, high = np.minimum(first, second), np.maximum(first, second)
    all_scores = np.concatenate(list(scores))
    order = np.lexsort((all_scores, high, low))
    low, high, all_scores = low[order], high[order], all_scores[order]
    same_pair = (low[1:] == low[:-1]) & (high[1:] == high[:-1])
    differs = same_pair & (all_scores[1:] != all_scores[:-1])
    # A pair with three scores differs twice and counts once.
    rows = np.flatnonzero(differs)
    return len(np.unique(np.stack([low[rows], high[rows]]), axis=1).T)


def _normalised(sentences: pa.Array) -> pa.Array:
    """Fold the case, make each run of whitespace one space, and strip the ends.

    Arrow handles ASCII sentences with single spaces, which are nearly all in most files. Python,
    which knows Unicode's case folding and spaces, handles the rest.
    """
    plain = pc.ascii_lower(sentences)
    special = pc.or_(
        pc.invert(pc.string_is_ascii(sentences)), pc.match_substring_regex(sentences, UNEVEN)
    )
    folded = [" ".join(text.casefold().split()) for text in sentences.filter(special).to_pylist()]
    return pc.replace_with_mask(plain, special, pa.array(folded, sentences.type))
