"""A run's pairs as rows of one token store."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nexus_engine.data import PairData, Pairs
from nexus_engine.model.tokens import Tokenizer, TokenStore

__all__ = ["Corpus", "PairRows", "build_corpus", "pair_rows"]

SENTENCES_PER_CALL = 10_000


class PairRows(NamedTuple):
    """Pairs as store rows: `first`, `second` (n,) int64 and `scores` (n,) float32, 0..1."""

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.first)


class Corpus(NamedTuple):
    """Everything that a run reads, tokenised once; equal sentences share a row."""

    store: TokenStore
    train: PairRows
    dev: PairRows
    test: PairRows
    guard: PairRows


def pair_rows(store: TokenStore, pairs: Pairs) -> PairRows:
    """`pairs` with their sentences added to `store`; missing scores become NaN."""

    def column(values: object) -> npt.NDArray[np.int64]:
        return store.add(
            values[i : i + SENTENCES_PER_CALL].to_pylist()  # type: ignore[index]
            for i in range(0, len(pairs), SENTENCES_PER_CALL)
        )

    return PairRows(column(pairs.first), column(pairs.second), _scores(pairs))


def build_corpus(data: PairData, guard: Pairs, tokenizer: Tokenizer) -> Corpus:
    """Tokenise all splits and the guard.

    Equal sentences are found by Arrow, over all splits at once: a million pairs as keys of a
    dictionary would take a gigabyte.
    """
    import pyarrow as pa

    splits = (data.train, data.dev, data.test, guard)
    columns = [c.cast(pa.large_string()) for p in splits for c in (p.first, p.second)]
    # In chunks, which then share one dictionary: joined, a million pairs would be copied once more.
    found = pa.chunked_array(columns, pa.large_string()).dictionary_encode().chunks
    del columns
    store = TokenStore(tokenizer)
    distinct = found[0].dictionary
    store.add_distinct(
        distinct.slice(i, SENTENCES_PER_CALL).to_pylist()
        for i in range(0, len(distinct), SENTENCES_PER_CALL)
    )
    rows = [column.indices.to_numpy().astype(np.int64) for column in found]
    made = [
        PairRows(first, second, _scores(pairs))
        for first, second, pairs in zip(rows[::2], rows[1::2], splits, strict=True)
    ]
    return Corpus(store, *made)


def _scores(pairs: Pairs) -> npt.NDArray[np.float32]:
    if pairs.scores is None:
        return np.full(len(pairs), np.nan, np.float32)
    return pairs.scores
