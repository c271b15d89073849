"""Numbers to places on paper: round ticks, linear and logarithmic. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Scale", "linear", "logarithmic"]


class Scale(NamedTuple):
    """Maps `low`..`high` onto `start`..`end` (pixels); `ticks` are values to be named."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    log: bool = False

    def place(self, value: float) -> float:
        """The pixel of `value`."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        share = (value - low) / (high - low)
        return self.start + share * (self.end - self.start)


def linear(
    values: Sequence[float], start: float, end: float, *, ticks: int = 5, whole: bool = False
) -> Scale:
    """A scale over the finite `values` that begins and ends at round numbers."""
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    if low == high:
        pad = max(abs(low) * 0.01, 0.5 if whole else 0.01)
        low, high = low - pad, high + pad
    raw = (high - low) / ticks
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw)
    if whole:
        step = max(1.0, step)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    named = tuple(step * i for i in range(first, last + 1))
    return Scale(named[0], named[-1], start, end, named)


def logarithmic(values: Sequence[float], start: float, end: float) -> Scale:
    """A scale in whole powers of ten over the positive `values`."""
    positive = [value for value in values if value > 0 and math.isfinite(value)] or [1.0]
    first = math.floor(math.log10(min(positive)))
    last = max(first + 1, math.ceil(math.log10(max(positive))))
    named = tuple(10.0**power for power in range(first, last + 1))
    return Scale(named[0], named[-1], start, end, named, log=True)
