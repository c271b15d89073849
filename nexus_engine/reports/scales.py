"""Numbers to places on paper: round ticks, linear and logarithmic. Pure.

Any number makes a scale that can be drawn: equal ones, neighbours a float step apart, ones near the
largest float, none at all. Places are finite and lie between `start` and `end`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Scale", "as_float", "linear", "logarithmic"]

LARGEST = 1e300
"""Numbers beyond it, either way, stand at the end: their differences would overflow."""
MAX_POWER = 300
NARROWEST = 1e-9
"""Width of a scale as a share of its numbers; below it ticks are no different floats."""
MAX_POWERS = 12
"""Powers of ten that are named on a logarithmic scale."""


def as_float(value: float) -> float:
    """`value` as a float; an integer that is none becomes infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


class Scale(NamedTuple):
    """Maps `low`..`high` onto `start`..`end` (pixels); `ticks` are values to be named."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    log: bool = False

    def place(self, value: float) -> float:
        """The pixel of `value`; one outside of the scale, or NaN, stands at an end."""
        low, high, value = self.low, self.high, as_float(value)
        if math.isnan(value):
            return self.start
        value = min(max(value, low), high)
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        share = (value - low) / (high - low)
        return self.start + share * (self.end - self.start)


def linear(
    values: Sequence[float], start: float, end: float, *, ticks: int = 5, whole: bool = False
) -> Scale:
    """A scale over the finite `values` that begins and ends at round numbers."""
    finite = [v for v in map(as_float, values) if math.isfinite(v)] or [0.0]
    low, high = max(min(finite), -LARGEST), min(max(finite), LARGEST)
    low, high = min(low, LARGEST), max(high, -LARGEST)
    largest = max(abs(low), abs(high))
    if high - low <= max(largest * NARROWEST, 1 / LARGEST):
        pad = max(largest * 0.01, 0.5 if whole else 0.01)
        low, high = low - pad, high + pad
    raw = (high - low) / ticks
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((power * m for m in (1, 2, 5, 10) if power * m >= raw), power * 20)
    if whole:
        step = max(1.0, step)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    named = tuple(step * i for i in range(first, max(last, first + 1) + 1))
    return Scale(named[0], named[-1], start, end, named)


def logarithmic(values: Sequence[float], start: float, end: float) -> Scale:
    """A scale in whole powers of ten over the positive `values`."""
    positive = [v for v in map(as_float, values) if v > 0 and math.isfinite(v)] or [1.0]
    first = _power(math.floor(math.log10(min(positive))))
    last = max(first + 1, _power(math.ceil(math.log10(max(positive)))))
    every = math.ceil((last - first) / MAX_POWERS)
    named = tuple(10.0**power for power in range(first, last + 1, every))
    return Scale(10.0**first, 10.0**last, start, end, named, log=True)


def _power(power: int) -> int:
    return max(-MAX_POWER, min(power, MAX_POWER))
