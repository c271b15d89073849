"""A metric over the steps of a run, in bounded memory, as an immutable value.

A `Series` holds at most `MAX_POINTS` points; when it is full, neighbours are joined in pairs. A
joined point keeps the mean, the lowest and the highest value, and records values that are not
finite, so nothing is smoothed away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["EMPTY", "MAX_POINTS", "Series", "SeriesPoint"]

MAX_POINTS = 512
"""Enough for two points per column in any terminal."""


class SeriesPoint(NamedTuple):
    """The joined values around `x`, a step or epoch.

    `weight` is the number of values, `finite` the number of finite ones. `mean`, `low` and `high`
    are over the finite values, NaN if there are none.
    """

    x: float
    mean: float
    low: float
    high: float
    weight: int
    finite: int

    @property
    def broken(self) -> bool:
        """Whether any of its values is NaN or infinite."""
        return self.finite < self.weight


def _point(x: float, value: float) -> SeriesPoint:
    if math.isfinite(value):
        return SeriesPoint(x, value, value, value, 1, 1)
    return SeriesPoint(x, math.nan, math.nan, math.nan, 1, 0)


def _joined(a: SeriesPoint, b: SeriesPoint) -> SeriesPoint:
    weight, finite = a.weight + b.weight, a.finite + b.finite
    x = (a.x * a.weight + b.x * b.weight) / weight
    if not b.finite:
        return SeriesPoint(x, a.mean, a.low, a.high, weight, finite)
    if not a.finite:
        return SeriesPoint(x, b.mean, b.low, b.high, weight, finite)
    mean = (a.mean * a.finite + b.mean * b.finite) / finite
    if not math.isfinite(mean):  # the sum of two huge values overflows, but their mean is finite
        mean = a.mean * (a.finite / finite) + b.mean * (b.finite / finite)
    return SeriesPoint(x, mean, min(a.low, b.low), max(a.high, b.high), weight, finite)


@dataclass(frozen=True, slots=True)
class Series:
    """Points by rising x. `last` is the newest value unchanged, None before the first."""

    points: tuple[SeriesPoint, ...] = ()
    last: float | None = None
    each: int = 1
    """Number of values that a full point joins."""

    def add(self, x: float, value: float) -> Series:
        """The series with one more value. Points at or after `x` are removed first.

        A resumed run repeats steps that a crash cut off, and the new values replace the old ones.
        """
        points = self.points
        if points and x <= points[-1].x:
            points = tuple(point for point in points if point.x < x)
        new = _point(x, value)
        if points and points[-1].weight < self.each:
            return Series((*points[:-1], _joined(points[-1], new)), value, self.each)
        if len(points) >= MAX_POINTS:
            pairs = zip(points[::2], points[1::2], strict=True)
            return Series((*(_joined(a, b) for a, b in pairs), new), value, self.each * 2)
        return Series((*points, new), value, self.each)

    def __bool__(self) -> bool:
        return bool(self.points)

    @property
    def low(self) -> float | None:
        """The lowest finite value; None if there is none."""
        return min((p.low for p in self.points if p.finite), default=None)

    @property
    def high(self) -> float | None:
        """The highest finite value; None if there is none."""
        return max((p.high for p in self.points if p.finite), default=None)


EMPTY = Series()
"""A series without points."""
