"""Scales: which stretch of numbers a chart shows, where its ticks stand, and how they read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.text import Text

from nexus_tui.charts.kit.chart_style import ChartStyle

__all__ = ["Scale", "Tick", "nice_scale", "number", "shown_end", "whole_ticks", "x_axis"]

NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
SMALLEST, LARGEST = 5e-324, 1.7e308
"""Ends of the numbers that a logarithmic axis can show."""
MAX_HALVINGS = 64
MAX_TICKS = 2000
"""More than any terminal has columns."""
PLAIN_LOW, PLAIN_HIGH = 1e-4, 1e6
"""Numbers of a size between these are written out; others as powers of ten."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A stretch of numbers from `low` to `high`, with ticks at multiples of `step` (0: none).

    With `log`, `low` and `high` are positive and distances are those of the logarithms.
    """

    low: float
    high: float
    step: float = 0.0
    log: bool = False

    def place(self, value: float) -> float:
        """Where `value` lies: 0 at `low`, 1 at `high`, and never outside."""
        low, high = self.low, self.high
        if self.log:
            if value <= 0:
                return 0.0
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        # Halves: the difference of two huge numbers of opposite sign is not finite.
        span = high / 2 - low / 2
        return min(1.0, max(0.0, (value / 2 - low / 2) / span)) if span > 0 else 0.5

    def ticks(self) -> list[float]:
        """The values at which a tick stands, rising."""
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            inside = [10.0**power for power in range(first, last + 1)]
            return inside if len(inside) > 1 else [self.low, self.high]
        if not self.step:
            return [self.low, self.high] if self.high > self.low else [self.low]
        first, last = round(self.low / self.step), round(self.high / self.step)
        return [self.step * n for n in range(first, last + 1)]


def nice_scale(values: Iterable[float], intervals: int, *, log: bool = False) -> Scale | None:
    """A scale with round ends around the finite values; None when there are none.

    About `intervals` ticks fit on it. Values that are all equal lie in its middle.
    """
    found = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    if not found:
        return None
    low, high = min(found), max(found)
    if log:
        if low == high:
            low, high = max(low / 10, SMALLEST), min(low * 10, LARGEST)
        return Scale(low, high, log=True)
    if low == high:
        around = abs(low) * 0.05 or 1.0
        low, high = low - around, high + around
    half = high / 2 - low / 2
    raw = half / max(1, intervals) * 2
    if not math.isfinite(raw) or raw < 1e-300 or not (math.isfinite(low) and math.isfinite(high)):
        return Scale(min(found), max(found))
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((nice * power for nice in NICE if nice * power >= raw * 0.999), 10 * power)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    bottom, top = first * step, last * step
    if last - first > 4 * max(1, intervals) or not math.isfinite(top) or not math.isfinite(bottom):
        return Scale(low, high)  # too far from zero for a step of this size
    return Scale(bottom, top, step)


def number(value: float, step: float = 0.0) -> str:
    """`value` as short as `step`, the distance to its neighbours, allows; nan and inf as such."""
    if not math.isfinite(value):
        return str(value)
    if step and abs(value) < step / 1000:
        value = 0.0
    largest = max(abs(value), step)
    if value == 0 and not PLAIN_LOW <= step < PLAIN_HIGH:
        return "0"
    if largest and not PLAIN_LOW <= largest < PLAIN_HIGH:
        digits = math.ceil(math.log10(largest) - math.log10(step)) if step > 0 else 1
        mantissa, power = f"{value:.{min(8, max(1, digits))}e}".split("e")
        return f"{mantissa.rstrip('0').removesuffix('.')}e{int(power)}"
    if not step:
        return f"{value:.4g}"
    exact = next((n for n in range(7) if abs(step * 10**n - round(step * 10**n)) < 1e-6), 6)
    return f"{value:.{exact}f}"


def shown_end(now: float, planned: float, floor: float) -> float:
    """How far an axis reaches that grows with a run: `planned`, halved while `now` still fits.

    Not below `floor`. The axis so changes a few times in a run, not with each step. Numbers that
    are not finite are left out; where no end above 0 is left, it is 1.
    """
    least = max((value for value in (now, floor) if math.isfinite(value)), default=0.0)
    end = max(least, planned if math.isfinite(planned) else 0.0)
    if end <= 0:
        return 1.0
    for _ in range(MAX_HALVINGS):
        if not end / 2 >= max(least, SMALLEST):
            break
        end /= 2
    return end


def whole_ticks(end: float, every: int = 1, most: int = MAX_TICKS) -> range:
    """Whole numbers from 0 to `end` at multiples of `every`, of which every so many are left out.

    At most about `most` are left, however far the axis reaches.
    """
    last = int(end) if math.isfinite(end) and end > 0 else 0
    every = max(1, every)
    return range(0, last + 1, every * max(1, -(-(last // every) // max(1, most))))


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on a horizontal axis, 0..1, and the word under it, if any."""

    place: float
    word: str = ""


def x_axis(ticks: Sequence[Tick], width: int, chart_style: ChartStyle, end: str = "") -> Text:
    """A horizontal axis: a line with ticks, and words in it where they have room.

    `end` stands at the right end and comes before all other words.
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
