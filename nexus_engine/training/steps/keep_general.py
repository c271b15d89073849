"""How much a run rehearses: the weight follows need, as the guard shows it."""

from __future__ import annotations

import math

__all__ = ["initial_weight", "next_weight"]

TOLERANCE = 0.002
"""The guard's Spearman may lie this much under the base model's."""
FIRST, FACTOR_UP, FACTOR_DOWN, SMALLEST, LARGEST = 0.3, 2.0, 0.5, 0.05, 4.0


def initial_weight(mode: str) -> float:
    """The weight at the start of a run with `--keep-general MODE`."""
    return 0.0 if mode in ("off", "auto") else float(mode)


def next_weight(weight: float, guard: float, base: float) -> float:
    """The weight after the guard was scored; both are Spearman, -1..1. NaN changes nothing."""
    if math.isnan(guard) or math.isnan(base):
        return weight
    if guard < base - TOLERANCE:
        return min(LARGEST, max(FIRST, weight * FACTOR_UP))
    lower = weight * FACTOR_DOWN
    return lower if lower >= SMALLEST else 0.0
