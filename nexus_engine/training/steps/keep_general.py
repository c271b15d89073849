"""How strongly a run rehearses general sentences: by need, at a fixed weight, or not at all.

`--keep-general auto` steers by the guard: the weight rises while the tuned model's Spearman on the
guard lies under the base model's, and falls to zero while it does not, since rehearsal on broad
data costs quality that nothing was taking away. Pure functions of numbers.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from nexus_engine.errors import ConfigError

__all__ = ["KeepGeneral", "keep_general", "next_weight"]

# Set by measurement; they belong together.
TOLERANCE = 0.002
"""By so much the guard's Spearman may lie under the base model's."""
FIRST_WEIGHT = 0.0
"""The weight of `auto` before the first look at the guard."""
LIFT = 0.3
"""The weight to which zero, or less than this, rises."""
RISE = 2.0
FALL = 0.5
HIGHEST = 4.0
"""No need raises the weight above this."""
LOWEST = 0.05
"""A weight that falls under this is zero: the step then embeds no general sentence."""

MAX_WEIGHT = 100.0
"""Of a fixed weight."""


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


class KeepGeneral(NamedTuple):
    """What `--keep-general` asks for: a first weight, and whether the guard steers it."""

    weight: float
    steered: bool

    @property
    def rehearses(self) -> bool:
        """Whether the run needs general sentences at all."""
        return self.steered or self.weight > 0

    def after(self, weight: float, guard: float, base_guard: float) -> float:
        """The weight after an evaluation: see `next_weight`; a fixed one stays."""
        return next_weight(weight, guard, base_guard) if self.steered else weight


def keep_general(text: str) -> KeepGeneral:
    """`off`, `auto` or a weight, 0..100.

    Raises:
        ConfigError: `text` is none of these.
    """
    if text == "off":
        return KeepGeneral(0.0, steered=False)
    if text == "auto":
        return KeepGeneral(FIRST_WEIGHT, steered=True)
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not 0 <= weight <= MAX_WEIGHT:
        raise ConfigError(
            f"keep_general: {text[:20]!r} is no weight; give off, auto, or a number from 0 to "
            f"{MAX_WEIGHT:g}"
        )
    return KeepGeneral(weight, steered=False)
