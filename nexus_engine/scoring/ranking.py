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
    "NOT_RANKED",
    "UNDEFINED",
    "Ranking",
    "RankingScores",
    "best_passage_ranks",
    "bootstrap_mean",
    "bootstrap_mean_gain",
    "ranks_by_product",
    "ranks_of_answers",
    "score_ranks",
    "unit_rows",
]

CUTOFF = 10
"""nDCG and MRR look at this many passages."""
RECALL_CUTOFFS = (1, 10, 100)
SIMILARITIES_PER_BLOCK = 1 << 22
"""Similarities computed at once, about: 16 MB."""
MIN_QUESTIONS_PER_BLOCK = 64
"""With fewer, a product with a large corpus waits for memory. 256 MB for a million passages, whose
vectors take six times as much."""
ROWS_PER_COPY = 1 << 16
PASSAGE_MULTIPLE = 64
"""Passages are padded to a multiple of this. A product computes the last columns of another number
by other code, in another order (seen up to 15); equal passages there would differ by rounding."""
NOT_RANKED = 1 << 62
"""The rank of a document that has no passage."""
UNDEFINED = 0
"""The rank of an answer whose similarity is NaN; its question's scores are NaN."""

Floats = npt.NDArray[np.float64]
Ranks = npt.NDArray[np.int64]
Check = Callable[[], None]


class Ranking(NamedTuple):
    """Scores of each question, (q,) each, 0..1."""

    ndcg_at_10: Floats
    mrr_at_10: Floats
    recall_at_1: Floats
    recall_at_10: Floats
    recall_at_100: Floats

    def mean(self) -> RankingScores:
        """The means over the questions; NaN without any."""
        return RankingScores(*(_mean(values) for values in self))


class RankingScores(NamedTuple):
    """Means over questions, 0..1."""

    ndcg_at_10: float
    mrr_at_10: float
    recall_at_1: float
    recall_at_10: float
    recall_at_100: float


def ranks_of_answers(
    questions: Tensor, passages: Tensor, answers: Answers, check: Check = lambda: None
) -> Ranks:
    """The rank of each known answer among all passages by cosine similarity, (k,), from 1.

    `questions` (q, width) and `passages` (p, width) are embeddings; they need no normalisation, and
    the device of `passages` computes. Among passages of equal similarity, the one that stands first
    in the corpus ranks first. A similarity that is NaN ranks behind all others, and an answer with
    one is `UNDEFINED`. `check` is called before each block of questions and may raise to stop.
    """
    p = len(passages)
    unit = unit_rows(passages, multiple=PASSAGE_MULTIPLE)
    return _ranks(unit_rows(questions), unit, p, lambda block: block[:, :p], answers, check)


def ranks_by_product(
    questions: Tensor, passages: Tensor, answers: Answers, check: Check = lambda: None
) -> Ranks:
    """As `ranks_of_answers`, but by the products of the vectors as they are, float32 or float64."""
    p = len(passages)
    padding = (0, 0, 0, -p % PASSAGE_MULTIPLE)
    padded = torch.nn.functional.pad(passages, padding) if padding[-1] else passages
    return _ranks(questions, padded, p, lambda block: block[:, :p], answers, check)


def best_passage_ranks(
    questions: Tensor,
    passages: Tensor,
    documents: npt.NDArray[np.int64],
    answers: Answers,
    check: Check = lambda: None,
) -> Ranks:
    """The rank of each known answer among all documents, (k,), from 1.

    `documents` (p,) is the number of each passage's document, from 0; `answers` names documents. A
    document ranks by its most similar passage; of equal documents, the one with the lower number
    ranks first. A document without a passage is `NOT_RANKED`. Otherwise as `ranks_of_answers`.
    """
    count = int(max(documents.max(initial=-1), answers.rows.values.max(initial=-1))) + 1
    places = torch.from_numpy(documents).to(passages.device)

    def best(block: Tensor) -> Tensor:
        table = block.new_full((len(block), count), float("-inf"))
        index = places.expand(len(block), -1)
        return table.scatter_reduce_(1, index, block[:, : len(places)], "amax")

    unit = unit_rows(passages, multiple=PASSAGE_MULTIPLE)
    return _ranks(unit_rows(questions), unit, max(count, len(unit)), best, answers, check)


def unit_rows(vectors: Tensor, *, multiple: int = 1) -> Tensor:
    """`vectors` (n, width) at length 1 as float32, then rows of zeros up to a `multiple`.

    A vector of zeros stays one. Only one copy is made, on the device of `vectors`.
    """
    n = len(vectors)
    unit = torch.zeros(
        n + -n % multiple, vectors.shape[1], device=vectors.device, dtype=torch.float32
    )
    with torch.inference_mode():
        for start in range(0, n, ROWS_PER_COPY):
            part = vectors[start : start + ROWS_PER_COPY].float()
            unit[start : start + len(part)] = torch.nn.functional.normalize(part, dim=1)
    return unit


def _ranks(
    questions: Tensor,
    passages: Tensor,
    columns: int,
    arrange: Callable[[Tensor], Tensor],
    answers: Answers,
    check: Check,
) -> Ranks:
    """The ranks (k,) of the answers among the columns of `arrange(products of a block)`.

    `columns` bounds the width of both, and thereby the questions of a block.
    """
    ranks = np.zeros(len(answers.rows.values), np.int64)
    size = max(MIN_QUESTIONS_PER_BLOCK, SIMILARITIES_PER_BLOCK // max(1, columns))
    offsets = answers.rows.offsets
    with torch.inference_mode():
        for start in range(0, len(questions), size):
            check()
            stop = min(start + size, len(questions))
            table = arrange(questions[start:stop].to(passages.device) @ passages.T)
            begin, end = int(offsets[start]), int(offsets[stop])
            owners = np.repeat(np.arange(stop - start), np.diff(offsets[start : stop + 1]))
            # As many answers at a time as questions; all at once could be many more rows.
            for first in range(begin, end, size):
                last = min(first + size, end)
                ranks[first:last] = _ranks_in(
                    table, owners[first - begin : last - begin], answers.rows.values[first:last]
                )
    return ranks


def _ranks_in(table: Tensor, owners: Ranks, places: Ranks) -> Ranks:
    """The rank of column `places[i]` in row `owners[i]` of `table`, (k,)."""
    rows = table[torch.from_numpy(owners).to(table.device)]
    own = rows.gather(1, torch.from_numpy(places).to(table.device)[:, None])
    # Neither comparison holds for a NaN. Counts fit 32 bits, and are twice as fast there.
    ranks = 1 + (rows > own).sum(1, dtype=torch.int32).long()
    equal = rows == own
    for i in (equal.sum(1, dtype=torch.int32) > 1).nonzero()[:, 0].tolist():
        ranks[i] += equal[i, : places[i]].sum()
    ranks.masked_fill_(own[:, 0] == float("-inf"), NOT_RANKED)
    ranks.masked_fill_(own[:, 0].isnan(), UNDEFINED)
    on_host: Ranks = ranks.cpu().numpy()
    return on_host


def score_ranks(ranks: Ranks, answers: Answers) -> Ranking:
    """nDCG@10, MRR@10 and recall of each question from the ranks (k,) of its answers.

    nDCG is Järvelin and Kekäläinen's (2002) with linear gains and a discount of log2(rank + 1), as
    trec_eval and BEIR compute it. A question without a known answer scores 0, one with an
    `UNDEFINED` rank NaN, so that a model that has diverged has no score.
    """
    questions = len(answers)
    owners = answers.rows.owners()
    undefined = ranks == UNDEFINED
    ranks = np.where(undefined, NOT_RANKED, ranks)
    counts = np.maximum(np.diff(answers.rows.offsets), 1)

    def total(values: npt.NDArray[np.floating]) -> Floats:
        return np.bincount(owners, values, questions).astype(np.float64)

    lost = np.where(total(undefined.astype(np.float64)) > 0, np.nan, 0.0)
    gained = total(np.where(ranks <= CUTOFF, answers.gains / np.log2(ranks + 1), 0.0))
    best = np.lexsort((-answers.gains, owners))
    place = np.arange(len(owners)) - answers.rows.offsets[owners] + 1
    ideal = total(np.where(place <= CUTOFF, answers.gains[best] / np.log2(place + 1), 0.0))
    first = np.full(questions, NOT_RANKED)
    np.minimum.at(first, owners, ranks)
    recalls = [total((ranks <= cutoff).astype(np.float64)) / counts for cutoff in RECALL_CUTOFFS]
    return Ranking(
        lost + gained / np.where(ideal > 0, ideal, 1.0),
        lost + np.where(first <= CUTOFF, 1.0 / first, 0.0),
        *(lost + recall for recall in recalls),
    )


def bootstrap_mean(values: Floats, *, draws: int = 1000, seed: int = 0) -> Interval:
    """The mean of (q,) values with its 95 % interval: 2.5th to 97.5th percentile over resamples.

    All three are NaN without values. Of few values the interval is somewhat narrow: of 25 values
    about 93 in 100 such intervals hold the mean.
    """
    n = len(values)
    if not n:
        return Interval(np.nan, np.nan, np.nan)
    random = np.random.default_rng(seed)
    means = np.array([values[random.integers(0, n, n)].mean() for _ in range(draws)])
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(_mean(values), float(low), float(high))


def bootstrap_mean_gain(
    ours: Floats, theirs: Floats, *, draws: int = 1000, seed: int = 0
) -> Interval:
    """The mean of `ours` minus that of `theirs`, (q,) each, on the same questions (paired)."""
    return bootstrap_mean(ours - theirs, draws=draws, seed=seed)


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")
