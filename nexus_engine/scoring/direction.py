"""Whether scores run the other way: the base model's order of the pairs says it before a step.

The untouched model already tells like from unlike, better or worse: its Spearman with graded
similarities is 0.82 on the STS Benchmark and 0.42 on the demo set. Where it is far below zero the
scores are likely distances, ranks or class numbers, and training would teach the reverse.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nexus_engine.scoring.corpus import Corpus, PairRows
from nexus_engine.scoring.correlation import spearman as spearman_of

__all__ = ["ask_direction", "direction_question"]

Cosines = npt.NDArray[np.float64]

FAR_BELOW = -0.2
CERTAINTY = 2.7
"""Standard errors. Measured on random samples of the STS Benchmark and of the demo set, 20,000 of
30 and of 50 pairs, 10,000 of 100, 8,000 of 256: no false alarm. With the scores reversed, every
sample of 50 pairs of the STS Benchmark is noticed (99.7 % of 30 pairs); of the demo set, where the
base model's Spearman is half of that, 60 % of 50 pairs, 93 % of 100, all of 256."""
ENOUGH_PAIRS = 256
"""More pairs than these are not needed to tell."""
FEWEST_PAIRS = 30
"""Fewer may be far below zero by chance: 9 of 40,000 samples of 20 pairs of the demo set were."""


def direction_question(spearman: float, pairs: int) -> str | None:
    """The question to ask where the base model's Spearman on `pairs` pairs is far below zero.

    None where it is not, or where so few pairs may give it by chance.
    """
    if pairs < FEWEST_PAIRS or not spearman <= FAR_BELOW or _bound(spearman, pairs, 1) >= 0:
        return None
    return (
        f"the base model's Spearman with the scores is {spearman:.2f} on {pairs} pairs: do the "
        "scores run the other way, as distances, ranks or class numbers do? Training would pull "
        "unlike sentences together. If so, stop, and write HIGHEST - score in place of each score"
    )


def ask_direction(
    cosines: Callable[[PairRows], Cosines], corpus: Corpus, dev: Cosines | None = None
) -> str | None:
    """The question of `direction_question` on a run's pairs.

    `cosines` gives the base model's similarities (n,) of pairs, `dev` those of the dev pairs where
    they are known. Where dev alone is too little to tell, train pairs are looked at with it.
    """
    pairs = corpus.dev if dev is not None else _some(corpus.dev, ENOUGH_PAIRS)
    found = cosines(pairs) if dev is None else dev
    scores = pairs.scores
    if not _is_settled(spearman_of(found, scores), len(found)):
        more = _some(corpus.train, ENOUGH_PAIRS - len(found))
        found = np.concatenate([found, cosines(more)])
        scores = np.concatenate([scores, more.scores])
    return direction_question(spearman_of(found, scores), len(found))


def _some(pairs: PairRows, most: int) -> PairRows:
    """At most `most` of the pairs, evenly spread: files are often sorted."""
    if len(pairs) <= most:
        return pairs
    rows = np.linspace(0, len(pairs) - 1, most).astype(np.int64)
    return PairRows(pairs.first[rows], pairs.second[rows], pairs.scores[rows])


def _is_settled(spearman: float, pairs: int) -> bool:
    """Whether `pairs` pairs are enough to tell, so that no others need to be looked at."""
    if pairs >= ENOUGH_PAIRS or direction_question(spearman, pairs) is not None:
        return True
    return pairs >= FEWEST_PAIRS and _bound(spearman, pairs, -1) > 0


def _bound(spearman: float, pairs: int, side: int) -> float:
    """The upper (`side` 1) or lower (-1) bound of Fisher's z of a Spearman correlation.

    Its standard error is that of Bonett and Wright (2000).
    """
    if math.isnan(spearman):
        return math.nan
    bounded = max(-1 + 1e-9, min(1 - 1e-9, spearman))
    error = math.sqrt((1 + bounded * bounded / 2) / (pairs - 3))
    return math.atanh(bounded) + side * CERTAINTY * error
