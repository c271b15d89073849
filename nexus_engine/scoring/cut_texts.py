"""Sentences that are longer than the model reads, and pairs that the model cannot tell apart.

What is counted was found while tokenising; nothing is tokenised for it. Notes hold numbers alone.
"""

from __future__ import annotations

import numpy as np

from nexus_engine.errors import DataError
from nexus_engine.model.base_model import MAX_TOKENS
from nexus_engine.model.tokens import Rows, TokenStore
from nexus_engine.scoring.corpus import Corpus, PairRows

__all__ = ["corpus_notes", "cut_note", "indistinct", "pair_notes", "refuse_indistinct"]


def cut_note(cut: int, sentences: int) -> str:
    """How many of so many distinct sentences are cut, in a line; empty where none is."""
    if not cut:
        return ""
    are = "is" if cut == 1 else "are"
    return (
        f"{cut:,} of {sentences:,} sentences {are} longer than the {MAX_TOKENS} tokens that the "
        "model reads: what follows is cut off"
    )


def pair_notes(store: TokenStore, *splits: PairRows) -> list[str]:
    """What is to be said of the pairs' texts, a line each: those cut, and those equal then."""
    columns = [column for pairs in splits for column in (pairs.first, pairs.second)]
    rows = np.unique(np.concatenate(columns))
    cut = store.cut_among(rows)
    note = cut_note(len(cut), len(rows))
    if not note:
        return []
    equal = sum(len(_equal_pairs(store, pairs, cut)) for pairs in splits)
    if not equal:
        return [note]
    pairs = sum(map(len, splits))
    return [
        note,
        f"in {equal:,} of {pairs:,} pairs both sentences are equal after the cut: the model takes "
        "them as one, whatever their score",
    ]


def corpus_notes(corpus: Corpus) -> list[str]:
    """`pair_notes` of a run's own pairs."""
    return pair_notes(corpus.store, corpus.train, corpus.dev, corpus.test)


def indistinct(store: TokenStore, pairs: PairRows) -> str:
    """Why no correlation is defined on `pairs`, whatever the weights; empty where one is.

    That is so where both sentences of every pair are the same tokens, or all pairs are one.
    """
    seen: set[frozenset[bytes]] = set()
    for first, second in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
        both = frozenset((store.key(first), store.key(second)))
        # All pairs of equal sentences have the one similarity 1, whatever the sentences.
        seen.add(both if len(both) == 2 else frozenset())
        if len(seen) > 1:
            return ""
    what = "both sentences of every pair are" if frozenset() in seen else "all pairs are"
    rows = np.unique(np.concatenate([pairs.first, pairs.second]))
    cut = len(store.cut_among(rows))
    undefined = "so all similarities are equal and Spearman is undefined"
    if cut:
        return (
            f"{what} equal once cut to the {MAX_TOKENS} tokens that the model reads ({cut:,} of "
            f"{len(rows):,} sentences are cut), {undefined}; begin the sentences with what tells "
            "them apart"
        )
    return f"{what} equal to the model, {undefined}; give pairs of different sentences"


def refuse_indistinct(store: TokenStore, pairs: PairRows, split: str) -> None:
    """Refuse the pairs of a split on which no correlation is defined.

    Raises:
        DataError: the pairs are such; the message says whether by the cut or in the data.
    """
    reason = indistinct(store, pairs)
    if reason:
        raise DataError(f"{split}: {reason}")


def _equal_pairs(store: TokenStore, pairs: PairRows, cut: Rows) -> Rows:
    """Places of the pairs of two different sentences that are the same tokens after the cut."""
    candidates = np.flatnonzero(
        np.isin(pairs.first, cut) & np.isin(pairs.second, cut) & (pairs.first != pairs.second)
    )
    same = [
        place
        for place in candidates.tolist()
        if store.key(int(pairs.first[place])) == store.key(int(pairs.second[place]))
    ]
    return np.asarray(same, np.int64)
