"""How well questions find their answers: nDCG, MRR and recall over a whole corpus, exactly.

Every passage of the corpus is ranked for every question, by cosine similarity. Passages of equal
similarity rank in corpus order, so that a result never depends on how the work was cut up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nexus_engine.data.questions.answers import Answers
from nexus_engine.scoring.correlation import Interval

__all__ = [
    "Ranking",
    "RankingScores",
    "bootstrap_mean",
    "bootstrap_mean_gain",
    "ranks_of_answers",
    "score_ranks",
]

CUTOFF = 10
"""nDCG and MRR look at this many passages."""
RECALL_CUTOFFS = (1, 10, 100)
SIMILARITIES_PER_BLOCK = 1 << 22
"""Similarities computed at once, about: 16 MB."""

Floats = npt.NDArray[np.float64]


class Ranking(NamedTuple):
    """Scores of each question, (q,) each, 0..1."""

    ndcg_at_10: Floats
    mrr_at_10: Floats
    recall_at_1: Floats
    recall_at_10: Floats
    recall_at_100: Floats

    def mean(self) -> RankingScores:
        """The means over the questions."""
        return RankingScores(*(float(values.mean()) for values in self))


class RankingScores(NamedTuple):
    """Means over questions, 0..1."""

    ndcg_at_10: float
    mrr_at_10: float
    recall_at_1: float
    recall_at_10: float
    recall_at_100: float


def ranks_of_answers(
    questions: Tensor,
    passages: Tensor,
    answers: Answers,
    check: Callable[[], None] = lambda: None,
) -> npt.NDArray[np.int64]:
    """The rank of each known answer among all passages, (k,), from 1.

    `questions` (q, width) and `passages` (p, width) are embeddings; they need no normalisation.
    Among passages of equal similarity, the one that stands first in the corpus ranks first. `check`
    is called before each block of questions and may raise to stop.
    """
    questions = torch.nn.functional.normalize(questions.float(), dim=1)
    passages = torch.nn.functional.normalize(passages.float(), dim=1)
    ranks = np.zeros(len(answers.rows.values), np.int64)
    size = max(1, SIMILARITIES_PER_BLOCK // max(1, len(passages)))
    order = torch.arange(len(passages), device=passages.device)
    with torch.inference_mode():
        for start in range(0, len(questions), size):
            check()
            similarities = questions[start : start + size] @ passages.T
            stop = start + len(similarities)
            begin, end = int(answers.rows.offsets[start]), int(answers.rows.offsets[stop])
            owners = np.repeat(
                np.arange(stop - start), np.diff(answers.rows.offsets[start : stop + 1])
            )
            # An answer at a time holds one row more; all at once could hold many.
            for first in range(begin, end, size):
                last = min(first + size, end)
                rows = similarities[torch.from_numpy(owners[first - begin : last - begin])]
                places = torch.from_numpy(answers.rows.values[first:last]).to(rows.device)
                own = rows.gather(1, places[:, None])
                ahead = (rows > own).sum(1)
                ahead += ((rows == own) & (order < places[:, None])).sum(1)
                ranks[first:last] = 1 + ahead.cpu().numpy()
    return ranks


def score_ranks(ranks: npt.NDArray[np.int64], answers: Answers) -> Ranking:
    """nDCG@10, MRR@10 and recall of each question from the ranks (k,) of its answers.

    nDCG is Järvelin and Kekäläinen's (2002) with linear gains and a discount of log2(rank + 1), as
    trec_eval and BEIR compute it. A question without a known answer scores 0.
    """
    questions = len(answers)
    owners = answers.rows.owners()
    counts = np.maximum(np.diff(answers.rows.offsets), 1)

    def total(values: npt.NDArray[np.floating]) -> Floats:
        return np.bincount(owners, values, questions).astype(np.float64)

    gained = total(np.where(ranks <= CUTOFF, answers.gains / np.log2(ranks + 1), 0.0))
    best = np.lexsort((-answers.gains, owners))
    place = np.arange(len(owners)) - answers.rows.offsets[owners] + 1
    ideal = total(np.where(place <= CUTOFF, answers.gains[best] / np.log2(place + 1), 0.0))
    first = np.full(questions, np.iinfo(np.int64).max)
    np.minimum.at(first, owners, ranks)
    recalls = [total((ranks <= cutoff).astype(np.float64)) / counts for cutoff in RECALL_CUTOFFS]
    return Ranking(
        gained / np.where(ideal > 0, ideal, 1.0),
        np.where(first <= CUTOFF, 1.0 / first, 0.0),
        *recalls,
    )


def bootstrap_mean(values: Floats, *, draws: int = 1000, seed: int = 0) -> Interval:
    """The mean of (q,) values with its 95 % interval: 2.5th to 97.5th percentile over resamples."""
    random = np.random.default_rng(seed)
    n = len(values)
    means = np.array([values[random.integers(0, n, n)].mean() for _ in range(draws)])
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high))


def bootstrap_mean_gain(
    ours: Floats, theirs: Floats, *, draws: int = 1000, seed: int = 0
) -> Interval:
    """The mean of `ours` minus that of `theirs`, (q,) each, on the same questions (paired)."""
    return bootstrap_mean(ours - theirs, draws=draws, seed=seed)
