"""Detect scores that run the other way, from the base model's similarities, before training.

The base model already ranks similar pairs above dissimilar ones to some degree: its Spearman with
the scores is 0.82 on the STS Benchmark and 0.42 on the demo set. If it is far below zero, the
scores are likely distances, ranks or class numbers, and training would learn the reverse.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from nexus_engine.scoring.corpus import Corpus, PairRows
from nexus_engine.scoring.correlation import spearman as spearman_of
from nexus_engine.scoring.evaluation import Cosines

__all__ = ["ask_direction", "direction_question"]

MAX_SPEARMAN = -0.2
"""A Spearman above this is not far below zero."""
STANDARD_ERRORS = 2.7
"""Half width of the confidence interval that must lie below zero. Measured on random samples of the
STS Benchmark and of the demo set, 20,000 of 30 and of 50 pairs, 10,000 of 100, 8,000 of 256: no
false alarm. With the scores reversed, every sample of 50 pairs of the STS Benchmark is detected
(99.7 % of 30 pairs). On the demo set, where the base model's Spearman is half of that, 60 % of the
samples of 50 pairs are detected, 93 % of 100, all of 256."""
MAX_PAIRS = 256
"""More pairs are not needed to decide."""
MIN_PAIRS = 30
"""Fewer pairs may be far below zero by chance. 9 of 40,000 samples of 20 demo pairs were."""


def direction_question(spearman: float, pairs: int) -> str | None:
    """The question for the user if the base model's Spearman on `pairs` pairs is far below zero.

    None if it is not, or if so few pairs may give it by chance.
    """
    if pairs < MIN_PAIRS or not spearman <= MAX_SPEARMAN or _bound(spearman, pairs, 1) >= 0:
        return None
    return (
        f"the base model's Spearman with the scores is {spearman:.2f} on {pairs} pairs: do the "
        "scores run the other way, as distances, ranks or class numbers do? Training would pull "
        "unlike sentences together. If they do, stop and replace each score by HIGHEST - score"
    )


def ask_direction(
    cosines: Callable[[PairRows], Cosines], corpus: Corpus, dev: Cosines | None = None
) -> str | None:
    """The `direction_question` for a run's pairs.

    `cosines` computes the base model's similarities (n,) of pairs; `dev` are those of the dev pairs
    if they are known already. If the dev pairs do not decide, train pairs are added.
    """
    pairs = corpus.dev if dev is not None else _sample(corpus.dev, MAX_PAIRS)
    similarities = cosines(pairs) if dev is None else dev
    scores = pairs.scores
    if not _is_decided(spearman_of(similarities, scores), len(similarities)):
        more = _sample(corpus.train, MAX_PAIRS - len(similarities))
        similarities = np.concatenate([similarities, cosines(more)])
        scores = np.concatenate([scores, more.scores])
    return direction_question(spearman_of(similarities, scores), len(similarities))


def _sample(pairs: PairRows, max_pairs: int) -> PairRows:
    """At most `max_pairs` of the pairs, evenly spaced, since files are often sorted."""
    if len(pairs) <= max_pairs:
        return pairs
    rows = np.linspace(0, len(pairs) - 1, max_pairs).astype(np.int64)
    return PairRows(pairs.first[rows], pairs.second[rows], pairs.scores[rows])


def _is_decided(spearman: float, pairs: int) -> bool:
    """Whether this Spearman on `pairs` pairs decides the question, so that no more are needed."""
    if pairs >= MAX_PAIRS or direction_question(spearman, pairs) is not None:
        return True
    return pairs >= MIN_PAIRS and _bound(spearman, pairs, -1) > 0


def _bound(spearman: float, pairs: int, side: int) -> float:
    """The upper (`side` 1) or lower (-1) confidence bound of Fisher's z of a Spearman correlation.

    The standard error is that of Bonett and Wright (2000).
    """
    if math.isnan(spearman):
        return math.nan
    bounded = max(-1 + 1e-9, min(1 - 1e-9, spearman))
    error = math.sqrt((1 + bounded * bounded / 2) / (pairs - 3))
    return math.atanh(bounded) + side * STANDARD_ERRORS * error
