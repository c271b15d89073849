"""How strongly a run rehearses general sentences: by need, at a fixed weight, or not at all.

`--keep-general auto` steers by the guard: the weight rises while the tuned model's Spearman on the
guard lies under the base model's, and falls to zero while it does not, since rehearsal on broad
data costs quality that nothing was taking away. Pure functions of numbers.
"""

from __future__ import annotations

import math

__all__ = ["initial_weight", "next_weight"]

TOLERANCE = 0.0
"""By so much the Spearman of the guard's steering half may lie under the base model's. It may not:
the other half falls further."""
FIRST_WEIGHTS = {"pairs": 0.0, "retrieval": 0.5}
"""By task, the weight of `auto` before the first look at the guard. A ranking loss soon costs
general quality, graded pairs of broad language do not."""
LIFT = 0.25
"""The weight to which zero, or less than this, rises."""
RISE = 1.25
FALL = 0.9
HIGHEST = 2.0
"""No need raises the weight above this."""
LOWEST = 0.05
"""A weight that falls under this is zero: the step then embeds no general sentence."""


def next_weight(
    weight: float, guard: float, base_guard: float, *, tolerance: float = TOLERANCE
) -> float:
    """The weight until the next evaluation, 0..`HIGHEST`, from the last one's `guard` Spearman.

    It rises while `guard` lies more than `tolerance` under `base_guard`, else it falls. It stays
    where one of the two is NaN.
    """
    need = base_guard - guard
    if math.isnan(need):
        return weight
    if need > tolerance:
        return min(HIGHEST, max(LIFT, weight * RISE))
    fallen = weight * FALL
    return fallen if fallen >= LOWEST else 0.0


def initial_weight(mode: str, task: str) -> float:
    """The weight at the start of a run with `--keep-general MODE`: off, auto or a weight."""
    if mode == "off":
        return 0.0
    return FIRST_WEIGHTS[task] if mode == "auto" else float(mode)
