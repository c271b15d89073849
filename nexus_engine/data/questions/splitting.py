"""Which split each question goes to, so that nothing leaks from one into another.

Questions of the same text, with a common answer, or of one group go to one split: a model must not
be judged on what it was taught. Where such ties leave no split to cut, those through the most
shared passages are let go, and the questions whose ties then lie in two splits are dropped.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nexus_engine.data.questions.answers import Ragged
from nexus_engine.data.sentence_ids import NumberedPairs
from nexus_engine.data.splitting import HELD_OUT_SHARE, connected_groups, cut_splits

__all__ = ["HELD_OUT_SHARE", "HeldOut", "cut_questions"]

MIN_QUESTIONS = 2
"""In a split that is judged."""
MIN_TARGET_SHARE = 0.5
"""Of the questions that a split should get: with fewer, ties are let go."""


class HeldOut(NamedTuple):
    """`split` (q,) int8: 0 stays in train, 1, 2 the splits that were cut, -1 dropped."""

    split: NDArray[np.int8]
    dropped: int


def cut_questions(
    texts: NDArray[np.int64],
    answers: Ragged,
    passages: int,
    groups: NDArray[np.int64],
    *,
    wanted: int,
    seed: int,
    share: float = HELD_OUT_SHARE,
    barred_texts: NDArray[np.int64] | None = None,
    barred_passages: NDArray[np.int64] | None = None,
) -> HeldOut | None:
    """Cut `wanted` splits (1 or 2) of about `share` of the questions each; None where none can be.

    `texts` (q,) numbers the text of each question; `answers` lists its passages, of `passages` in
    all; `groups` (q,) numbers its group, -1 where it has none. Questions with one of the barred
    texts or passages, which other splits have, stay.
    """
    questions = len(texts)
    known_texts = texts if barred_texts is None else np.concatenate([texts, barred_texts])
    written = int(known_texts.max()) + 1
    grouped = np.flatnonzero(groups >= 0)
    owners = np.concatenate([answers.owners(), grouped])
    ends = np.concatenate([answers.values, passages + groups[grouped]])
    total = written + passages + (int(groups.max(initial=-1)) + 1)
    edges = NumberedPairs(texts[owners], written + ends, total)
    barred = np.zeros(total, np.bool_)
    if barred_texts is not None:
        barred[barred_texts] = True
    if barred_passages is not None:
        barred[written + barred_passages] = True

    def per_question(split: NDArray[np.int8]) -> NDArray[np.int8]:
        """The split of each question: that of its ties, -1 where they disagree."""
        low = np.full(questions, 127, np.int8)
        high = np.full(questions, -128, np.int8)
        np.minimum.at(low, owners, split)
        np.maximum.at(high, owners, split)
        return np.where(low == high, low, np.int8(-1))

    def smallest(sides: NDArray[np.int8]) -> int:
        return min(int((sides == side).sum()) for side in range(wanted + 1))

    # Questions that are tied are dealt out together, each counting one however many its answers.
    tied = connected_groups(edges)
    free = np.ones(total, np.bool_)
    free[tied[barred]] = False
    groups_alone = NumberedPairs(tied[texts], tied[texts], total)
    cut = cut_splits(
        groups_alone,
        count=wanted,
        seed=seed,
        usable=lambda sides: smallest(sides) >= MIN_QUESTIONS,
        barred=~free,
        share=share,
    )
    if cut is not None:
        held_out = [int((cut.split == side).sum()) for side in range(1, wanted + 1)]
        if min(held_out) >= MIN_TARGET_SHARE * share * questions:
            return HeldOut(cut.split, 0)

    def usable(split: NDArray[np.int8]) -> bool:
        return smallest(per_question(split)) >= MIN_QUESTIONS

    cut = cut_splits(edges, count=wanted, seed=seed, usable=usable, barred=barred, share=share)
    if cut is None:
        return None
    sides = per_question(cut.split)
    return HeldOut(sides, int((sides < 0).sum()))
