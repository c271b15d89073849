"""Sentences as numbers: which are the same, within a split and across splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexus_engine.data.pairs import Pairs

__all__ = ["NumberedPairs", "contradictions", "number_sentences", "shared_sentences"]

SLICE = 1 << 16
UNEVEN = r"[\x00-\x1f\x7f]|  |^ | $"
"""In a sentence of ASCII: whitespace other than single spaces between words, or what may be."""


@dataclass(frozen=True, slots=True, eq=False)
class NumberedPairs:
    """A split with each sentence replaced by its number; equal numbers, equal sentences."""

    first: NDArray[np.int64]
    """(n,) in 0..total-1."""
    second: NDArray[np.int64]
    """(n,) in 0..total-1."""
    total: int
    """How many different sentences were numbered, in this split and those numbered with it."""

    def present(self) -> NDArray[np.bool_]:
        """(total,) whether each sentence stands in this split."""
        found = np.zeros(self.total, dtype=np.bool_)
        found[self.first] = True
        found[self.second] = True
        return found


def number_sentences(splits: Sequence[Pairs]) -> list[NumberedPairs]:
    """Number the sentences of all `splits` together.

    Two sentences are the same when they differ in case (Unicode case folding) and whitespace only.
    """
    # large_string: the dictionary of a big file may hold more than 2 GB.
    chunks = [
        _normalised(column.slice(start, SLICE)).cast(pa.large_string())
        for pairs in splits
        for column in (pairs.first, pairs.second)
        for start in range(0, len(column), SLICE)
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


def shared_sentences(split: NumberedPairs, other: NumberedPairs) -> int:
    """How many different sentences of `split` stand in `other` too."""
    return int((split.present() & other.present()).sum())


def contradictions(splits: Sequence[NumberedPairs], scores: Sequence[NDArray[np.float32]]) -> int:
    """How many pairs, in either order, stand more than once with different scores."""
    first = np.concatenate([split.first for split in splits])
    second = np.concatenate([split.second for split in splits])
    low, high = np.minimum(first, second), np.maximum(first, second)
    marks = np.concatenate(list(scores))
    order = np.lexsort((marks, high, low))
    low, high, marks = low[order], high[order], marks[order]
    same_pair = (low[1:] == low[:-1]) & (high[1:] == high[:-1])
    differs = same_pair & (marks[1:] != marks[:-1])
    # A pair with three scores differs twice: count the pair, not the steps.
    at = np.flatnonzero(differs)
    return len(np.unique(np.stack([low[at], high[at]]), axis=1).T)


def _normalised(sentences: pa.Array) -> pa.Array:
    """Case folded, each run of whitespace one space, none at the ends.

    Arrow does it for sentences of plain ASCII with single spaces, which are nearly all of most
    files; Python, which knows Unicode's folding and spaces, for the others.
    """
    plain = pc.ascii_lower(sentences)
    special = pc.or_(
        pc.invert(pc.string_is_ascii(sentences)), pc.match_substring_regex(sentences, UNEVEN)
    )
    folded = [" ".join(text.casefold().split()) for text in sentences.filter(special).to_pylist()]
    return pc.replace_with_mask(plain, special, pa.array(folded, sentences.type))
