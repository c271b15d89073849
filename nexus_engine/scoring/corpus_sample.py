"""A part of a large corpus to judge against: every answer of the questions, and a random rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nexus_engine.data.questions.answers import Answers, Ragged

__all__ = ["CorpusSample", "places_among", "sample_corpus"]


class CorpusSample(NamedTuple):
    """The passages `rows` (m,) of a corpus, ascending, and a line for the user, "" if it is all."""

    rows: npt.NDArray[np.int64]
    note: str

    def answers(self, answers: Answers) -> Answers:
        """`answers`, rows of the corpus and all sampled, as places in `rows`."""
        places = np.searchsorted(self.rows, answers.rows.values).astype(np.int64)
        return Answers(Ragged(answers.rows.offsets, places), answers.gains)


def places_among(
    rows: npt.NDArray[np.int64], values: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Where each of `values` (k,) stands in `rows` (m,), which ascend; -1 where it does not."""
    if not len(rows):
        return np.full(len(values), -1, np.int64)
    places = np.searchsorted(rows, values).clip(max=len(rows) - 1)
    return np.where(rows[places] == values, places, -1)


def sample_corpus(answers: Sequence[Answers], passages: int, n: int, seed: int) -> CorpusSample:
    """`n` of `passages` passages: all `answers` of the judged splits, then others at random.

    The answers stay even if they are more than `n`. The same seed gives the same sample, and with a
    larger `n` the same and more. Against fewer passages, scores are higher than against all: they
    compare only with scores on the same sample.
    """
    kept = np.zeros(passages, bool)
    for split in answers:
        kept[split.rows.values] = True
    needed = int(kept.sum())
    if max(n, needed) >= passages:
        return CorpusSample(np.arange(passages), "")
    order = np.random.default_rng(seed).permutation(passages)
    kept[order[~kept[order]][: max(0, n - needed)]] = True
    rows = np.flatnonzero(kept)
    note = (
        f"judged against {len(rows):,} of {passages:,} passages: {needed:,} answers and "
        f"{len(rows) - needed:,} at random; scores are higher than against all"
    )
    return CorpusSample(rows, note)
