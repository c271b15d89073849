"""Scales and axes: the range of numbers a chart shows, its ticks and their labels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.text import Text

from nexus_tui.charts.kit.chart_style import ChartStyle

__all__ = [
    "Scale", "Tick", "nice_scale", "number", "shown_end", "tick_labels", "whole_ticks", "x_axis",
]  # fmt: skip

NICE_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
MIN_POSITIVE, MAX_POSITIVE = 5e-324, 1.7e308
"""Bounds of the numbers that a logarithmic axis can show."""
MAX_HALVINGS = 64
MAX_TICKS = 2000
"""More than any terminal has columns."""
PLAIN_LOW, PLAIN_HIGH = 1e-4, 1e6
"""Magnitudes in this range are written out, others as powers of ten."""
MAX_DIGITS = 17
"""Digits that tell any two floating-point numbers apart."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The range from `low` to `high`, with ticks at multiples of `step`; 0 puts ticks at the ends.

    With `log`, `low` and `high` are positive and distances are logarithmic.
    """

    low: float
    high: float
    step: float = 0.0
    log: bool = False

    def place(self, value: float) -> float:
        """Position of `value`: 0 at `low`, 1 at `high`, clamped to 0..1."""
        low, high = self.low, self.high
        if self.log:
            if value <= 0:
                return 0.0
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        # Halved first: the difference of two huge numbers of opposite sign overflows.
        span = high / 2 - low / 2
        return min(1.0, max(0.0, (value / 2 - low / 2) / span)) if span > 0 else 0.5

    def ticks(self) -> list[float]:
        """The values at the ticks, in rising order."""
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            decades = [10.0**power for power in range(first, last + 1)]
            return decades if len(decades) > 1 else [self.low, self.high]
        if not self.step:
            return [self.low, self.high] if self.high > self.low else [self.low]
        first, last = round(self.low / self.step), round(self.high / self.step)
        return [self.step * n for n in range(first, last + 1)]


def nice_scale(values: Iterable[float], intervals: int, *, log: bool = False) -> Scale | None:
    """A scale with round ends around the finite values; None if no value is finite.

    It has about `intervals` intervals between ticks. Values that are all equal lie in its middle.
    """
    finite = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    if not finite:
        return None
    low, high = min(finite), max(finite)
    if log:
        if low == high:
            low, high = max(low / 10, MIN_POSITIVE), min(low * 10, MAX_POSITIVE)
        return Scale(low, high, log=True)
    if low == high:
        margin = abs(low) * 0.05 or 1.0
        low, high = low - margin, high + margin
    half_span = high / 2 - low / 2
    min_step = half_span / max(1, intervals) * 2
    if not all(map(math.isfinite, (min_step, low, high))) or min_step < 1e-300:
        return Scale(min(finite), max(finite))
    power = 10.0 ** math.floor(math.log10(min_step))
    steps = (nice * power for nice in NICE_STEPS)
    step = next((step for step in steps if step >= min_step * 0.999), 10 * power)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    bottom, top = first * step, last * step
    if last - first > 4 * max(1, intervals) or not math.isfinite(top) or not math.isfinite(bottom):
        return Scale(low, high)  # too far from zero for a step of this size
    return Scale(bottom, top, step)


def number(value: float, step: float = 0.0) -> str:
    """`value` with as few digits as tell it from its neighbours, `step` away (0: unknown).

    Values that are not finite read nan, inf or -inf.
    """
    if not math.isfinite(value):
        return str(value)
    if step and abs(value) < step / 1000:
        value = 0.0
    largest = max(abs(value), step)
    if value == 0 and not PLAIN_LOW <= step < PLAIN_HIGH:
        return "0"
    if largest and not PLAIN_LOW <= largest < PLAIN_HIGH:
        digits = math.ceil(math.log10(largest) - math.log10(step)) if step > 0 else 1
        mantissa, power = f"{value:.{min(MAX_DIGITS - 1, max(1, digits))}e}".split("e")
        return f"{mantissa.rstrip('0').removesuffix('.')}e{int(power)}"
    if not step:
        return f"{value:.4g}"
    return f"{value:.{_decimals(step)}f}"


def _decimals(step: float) -> int:
    """Decimals that write multiples of `step` exactly, or enough to tell them apart."""
    first = min(max(0, math.ceil(-math.log10(step))), MAX_DIGITS)  # of a digit that is not 0
    for decimals in range(max(7, first + 2)):
        scaled = step * 10**decimals
        if round(scaled) and abs(scaled - round(scaled)) < 1e-6:
            return min(decimals, MAX_DIGITS)
    return min(max(6, first + 1), MAX_DIGITS)


def tick_labels(ticks: Sequence[float], step: float = 0.0) -> list[str]:
    """A label for each tick. Ticks of different values have different labels.

    `step` is the distance between neighbours; 0 where it varies.
    """
    labels = [number(value, step) for value in ticks]
    distinct = len(set(ticks))
    for digits in range(2, MAX_DIGITS + 1):
        if len(set(labels)) == distinct:
            break
        labels = [f"{value:.{digits}g}" for value in ticks]
    return labels


def shown_end(now: float, planned: float, floor: float) -> float:
    """The end of an axis that grows with a run: `planned`, halved as long as `now` fits.

    The end is never below `floor`. Doubling keeps the axis still for most of the run. Arguments
    that are not finite are ignored; without any end above 0, it is 1.
    """
    min_end = max((value for value in (now, floor) if math.isfinite(value)), default=0.0)
    end = max(min_end, planned if math.isfinite(planned) else 0.0)
    if end <= 0:
        return 1.0
    for _ in range(MAX_HALVINGS):
        if not end / 2 >= max(min_end, MIN_POSITIVE):
            break
        end /= 2
    return end


def whole_ticks(end: float, every: int = 1, max_ticks: int = MAX_TICKS) -> range:
    """Whole numbers from 0 to `end` at multiples of `every`, thinned to about `max_ticks`."""
    last = int(end) if math.isfinite(end) and end > 0 else 0
    every = max(1, every)
    return range(0, last + 1, every * max(1, -(-(last // every) // max(1, max_ticks))))


@dataclass(frozen=True, slots=True)
class Tick:
    """A position on a horizontal axis, 0..1, and its label; empty for none."""

    place: float
    word: str = ""


def x_axis(ticks: Sequence[Tick], width: int, chart_style: ChartStyle, end: str = "") -> Text:
    """A horizontal axis of `width` cells: a line with ticks, and labels where they fit.

    `end` labels the right end and takes precedence over the ticks.
    """
    glyphs = chart_style.glyphs
    cells = [glyphs.line] * width
    free = [True] * width
    if end and len(end) + 1 < width:
        cells[width - len(end) :] = end
        free[width - len(end) - 1 :] = [False] * (len(end) + 1)
    for tick in ticks:
        column = min(width - 1, max(0, round(tick.place * (width - 1))))
        if free[column]:
            cells[column] = glyphs.tick
    for tick in ticks:
        column = round(tick.place * (width - 1))
        begin = max(0, min(column - (len(tick.word) - 1) // 2, width - len(tick.word)))
        around = range(max(0, begin - 1), min(width, begin + len(tick.word) + 1))
        if tick.word and len(tick.word) <= width and all(free[i] for i in around):
            cells[begin : begin + len(tick.word)] = tick.word
            for i in around:
                free[i] = False
    return Text("".join(cells), style=chart_style.palette.axis)
