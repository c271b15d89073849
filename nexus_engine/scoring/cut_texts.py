"""Notes on sentences longer than the model reads, and on pairs that it cannot tell apart.

The tokenizer has recorded which sentences it cut, so nothing is tokenised again. The notes contain
numbers only, never a sentence.
"""

from __future__ import annotations

import numpy as np

from nexus_engine.errors import DataError
from nexus_engine.model.base_model import MAX_TOKENS
from nexus_engine.model.tokens import Rows, TokenStore
from nexus_engine.scoring.corpus import Corpus, PairRows, QuestionCorpus

__all__ = ["corpus_notes", "cut_note", "indistinct", "pair_notes", "refuse_indistinct"]


def cut_note(
    cut: int, total: int, max_tokens: int = MAX_TOKENS, *, texts: str = "sentences"
) -> str:
    """A line that says how many of the distinct texts are cut; empty if none is."""
    if not cut:
        return ""
    are = "is" if cut == 1 else "are"
    return (
        f"{cut:,} of {total:,} {texts} {are} longer than the {max_tokens} tokens that the "
        "model reads: the rest is cut off"
    )


def pair_notes(store: TokenStore, *splits: PairRows) -> list[str]:
    """Notes on the sentences of all `splits`: how many are cut, and how many pairs become equal."""
    columns = [column for pairs in splits for column in (pairs.first, pairs.second)]
    rows = np.unique(np.concatenate(columns))
    cut = store.cut_among(rows)
    note = cut_note(len(cut), len(rows), store.max_tokens)
    if not note:
        return []
    equal = sum(len(_equal_pairs(store, pairs, cut)) for pairs in splits)
    if not equal:
        return [note]
    pairs = sum(map(len, splits))
    return [
        note,
        f"in {equal:,} of {pairs:,} pairs both sentences are equal after the cut: the model cannot "
        "tell them apart, whatever their score",
    ]


def corpus_notes(corpus: Corpus | QuestionCorpus) -> list[str]:
    """Notes on the texts of a run: those of `pair_notes`, or how many passages are cut."""
    if isinstance(corpus, Corpus):
        return pair_notes(corpus.store, corpus.train, corpus.dev, corpus.test)
    splits = (corpus.train, corpus.dev, corpus.test)
    questions = np.unique(np.concatenate([split.questions for split in splits]))
    notes = []
    for rows, name in ((corpus.passages, "passages"), (questions, "questions")):
        cut = len(corpus.store.cut_among(rows))
        if cut:
            notes.append(
                f"{cut:,} of {len(rows):,} {name} ({cut / len(rows):.0%}) are longer than the "
                f"{corpus.store.max_tokens} tokens that the model reads (--max-length): the rest "
                "is cut off"
            )
    return notes


def indistinct(store: TokenStore, pairs: PairRows) -> str:
    """Why correlation on `pairs` is undefined, whatever the weights; empty if it is defined.

    It is undefined if both sentences of every pair have the same tokens, or if all pairs are equal.
    """
    seen: set[frozenset[bytes]] = set()
    for first, second in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
        both = frozenset((store.key(first), store.key(second)))
        # Any pair of equal sentences has similarity 1.
        seen.add(both if len(both) == 2 else frozenset())
        if len(seen) > 1:
            return ""
    subject = "both sentences of every pair are" if frozenset() in seen else "all pairs are"
    rows = np.unique(np.concatenate([pairs.first, pairs.second]))
    cut = len(store.cut_among(rows))
    undefined = "so all similarities are equal and Spearman is undefined"
    if cut:
        return (
            f"{subject} equal once cut to the {store.max_tokens} tokens that the model reads "
            f"({cut:,} of {len(rows):,} sentences are cut), {undefined}; put what tells the "
            "sentences apart at their start"
        )
    return f"{subject} equal to the model, {undefined}; give pairs of different sentences"


def refuse_indistinct(store: TokenStore, pairs: PairRows, split: str) -> None:
    """Refuse a split on which correlation is undefined.

    Raises:
        DataError: correlation is undefined; the message says whether truncation is the reason.
    """
    reason = indistinct(store, pairs)
    if reason:
        raise DataError(f"{split}: {reason}")


def _equal_pairs(store: TokenStore, pairs: PairRows, cut: Rows) -> Rows:
    """Indices of pairs whose sentences differ but have the same tokens after the cut."""
    candidates = np.flatnonzero(
        np.isin(pairs.first, cut) & np.isin(pairs.second, cut) & (pairs.first != pairs.second)
    )
    same = [
        index
        for index in candidates.tolist()
        if store.key(int(pairs.first[index])) == store.key(int(pairs.second[index]))
    ]
    return np.asarray(same, np.int64)
