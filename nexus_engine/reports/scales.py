"""Axes of charts: numbers to pixels, with round ticks, linear and logarithmic.

Any numbers make a scale that can be drawn: equal ones, neighbours one float step apart, ones near
the largest float, or none at all. Pixels are finite and lie between `start` and `end`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Scale", "as_float", "linear", "logarithmic"]

MAX_NUMBER = 1e300
"""Numbers beyond it are drawn at the end of the scale: their differences would overflow."""
MAX_POWER = 300
MIN_RELATIVE_WIDTH = 1e-9
"""Width of a scale relative to its numbers; ticks of a narrower one would be equal floats."""
MAX_POWERS = 12
"""Ticks of a logarithmic scale."""


def as_float(value: float) -> float:
    """`value` as a float; an integer beyond the floats becomes infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


class Scale(NamedTuple):
    """Maps `low`..`high` to the pixels `start`..`end`; `ticks` are the values that get a label."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    log: bool = False

    def place(self, value: float) -> float:
        """The pixel of `value`; a value outside the scale, or NaN, is placed at an end."""
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
    low, high = max(min(finite), -MAX_NUMBER), min(max(finite), MAX_NUMBER)
    low, high = min(low, MAX_NUMBER), max(high, -MAX_NUMBER)
    largest = max(abs(low), abs(high))
    if high - low <= max(largest * MIN_RELATIVE_WIDTH, 1 / MAX_NUMBER):
        pad = max(largest * 0.01, 0.5 if whole else 0.01)
        low, high = low - pad, high + pad
    min_step = (high - low) / ticks
    power = 10.0 ** math.floor(math.log10(min_step))
    step = next((power * m for m in (1, 2, 5, 10) if power * m >= min_step), power * 20)
    if whole:
        step = max(1.0, step)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    round_numbers = tuple(step * i for i in range(first, max(last, first + 1) + 1))
    return Scale(round_numbers[0], round_numbers[-1], start, end, round_numbers)


def logarithmic(values: Sequence[float], start: float, end: float) -> Scale:
    """A scale in whole powers of ten over the positive `values`."""
    positive = [v for v in map(as_float, values) if v > 0 and math.isfinite(v)] or [1.0]
    first = _power(math.floor(math.log10(min(positive))))
    last = max(first + 1, _power(math.ceil(math.log10(max(positive)))))
    stride = math.ceil((last - first) / MAX_POWERS)
    powers = tuple(10.0**power for power in range(first, last + 1, stride))
    return Scale(10.0**first, 10.0**last, start, end, powers, log=True)


def _power(power: int) -> int:
    return max(-MAX_POWER, min(power, MAX_POWER))
