"""A run's pairs, tokenised, as rows of one token store."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nexus_engine.data import PairData, Pairs
from nexus_engine.model.tokens import Tokenizer, TokenStore

__all__ = ["Corpus", "PairRows", "build_corpus", "pair_rows"]

SENTENCES_PER_CALL = 10_000
"""Sentences that are tokenised at a time; bounds the memory of their Python strings."""


class PairRows(NamedTuple):
    """Pairs as rows of a store, `first` and `second` (n,); `scores` (n,) 0..1, NaN if unknown."""

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.first)


class Corpus(NamedTuple):
    """All sentences of a run, tokenised once, and its splits. Equal sentences share a row."""

    store: TokenStore
    train: PairRows
    dev: PairRows
    test: PairRows
    guard: PairRows


def pair_rows(store: TokenStore, pairs: Pairs) -> PairRows:
    """Add the sentences of `pairs` to `store`; return the pairs as its rows."""

    def column(values: object) -> npt.NDArray[np.int64]:
        return store.add(
            values[i : i + SENTENCES_PER_CALL].to_pylist()  # type: ignore[index]
            for i in range(0, len(pairs), SENTENCES_PER_CALL)
        )

    return PairRows(column(pairs.first), column(pairs.second), _scores(pairs))


def build_corpus(data: PairData, guard: Pairs, tokenizer: Tokenizer) -> Corpus:
    """Tokenise all splits and the guard.

    Arrow finds equal sentences over all splits at once. With a Python dictionary instead, a million
    pairs would take a gigabyte.
    """
    import pyarrow as pa

    splits = (data.train, data.dev, data.test, guard)
    columns = [c.cast(pa.large_string()) for p in splits for c in (p.first, p.second)]
    # The chunks share one dictionary; joining them first would copy all pairs once more.
    encoded = pa.chunked_array(columns, pa.large_string()).dictionary_encode().chunks
    del columns
    store = TokenStore(tokenizer)
    distinct = encoded[0].dictionary
    store.add_distinct(
        distinct.slice(i, SENTENCES_PER_CALL).to_pylist()
        for i in range(0, len(distinct), SENTENCES_PER_CALL)
    )
    rows = [column.indices.to_numpy().astype(np.int64) for column in encoded]
    split_rows = [
        PairRows(first, second, _scores(pairs))
        for first, second, pairs in zip(rows[::2], rows[1::2], splits, strict=True)
    ]
    return Corpus(store, *split_rows)


def _scores(pairs: Pairs) -> npt.NDArray[np.float32]:
    if pairs.scores is None:
        return np.full(len(pairs), np.nan, np.float32)
    return pairs.scores
