"""Rank and linear correlation, and the bootstrap interval of their difference."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

__all__ = ["Interval", "bootstrap_gain", "pearson", "spearman"]

Vector = npt.NDArray[np.floating]


def spearman(a: Vector, b: Vector) -> float:
    """Spearman's rank correlation of (n,) and (n,), ties at mean rank; NaN if one is constant."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(stats.spearmanr(a, b).statistic)


def pearson(a: Vector, b: Vector) -> float:
    """Pearson's correlation of (n,) and (n,); NaN if one is constant."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(stats.pearsonr(a, b).statistic)


class Interval(NamedTuple):
    """A difference with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


def bootstrap_gain(
    ours: Vector, theirs: Vector, scores: Vector, *, draws: int = 1000, seed: int = 0
) -> Interval:
    """Spearman of `ours` minus that of `theirs`, against the same `scores`, each (n,).

    The interval is the 2.5th to 97.5th percentile over `draws` resamples of the pairs, the same
    resample for both sides (a paired bootstrap; Efron and Tibshirani, 1993, chapter 13).
    """
    random = np.random.default_rng(seed)
    n = len(scores)
    gains = np.empty(draws)
    for i in range(draws):
        pick = random.integers(0, n, n)
        gains[i] = spearman(ours[pick], scores[pick]) - spearman(theirs[pick], scores[pick])
    low, high = np.nanpercentile(gains, [2.5, 97.5])
    value = spearman(ours, scores) - spearman(theirs, scores)
    return Interval(value, float(low), float(high))
