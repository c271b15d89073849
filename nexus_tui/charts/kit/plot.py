"""Curves over a horizontal axis as lines of text: the charts of the live screen, small and large.

Drawn here and not by a library: textual-plot 0.10.1 was tried. It leaves NaN and infinite values
out without a word, has no plain ASCII form, and one curve redrawn twice a second at 80x24 sends
47 KB/s to the terminal (measured on a pty); this one, on the app's canvas, sends only the cells
that changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from nexus_engine.runs.series import SeriesPoint
from nexus_tui.charts.kit.axis import Scale, Tick, nice_scale, number, x_axis
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.raster import COLUMNS, ROWS, Raster

__all__ = ["Curve", "Reference", "Span", "plot"]

NARROWEST = 8
"""Columns that must be left to the curves; below that the labels of the vertical axis go."""
INTERVALS = 3, 8
"""Least and most intervals between round numbers on the vertical axis, one a row between them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Points by rising x. A point shows its lowest to its highest value: nothing is smoothed.

    `dotted` tells it from others without colour. `mark` is a character put on each point, `best`
    the x of the point that takes the sign of the best instead.
    """

    points: Sequence[SeriesPoint]
    style: Style
    dotted: bool = False
    mark: str = ""
    best: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A value drawn as a level line with its name on it."""

    name: str
    value: float
    style: Style


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The horizontal axis: from `low` to `high`, with ticks, and a word at its right end."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]] = ()
    end: str = ""


def plot(
    curves: Sequence[Curve],
    span: Span,
    *,
    width: int,
    height: int,
    chart_style: ChartStyle,
    references: Sequence[Reference] = (),
    log: bool = False,
    empty: str = "no value yet",
) -> list[Text]:
    """`height` lines of `width` cells: the curves with a vertical axis, and the horizontal one.

    A value that is not finite is marked at the top of its column. `empty` is said where there is no
    value at all. With `log` the vertical axis is logarithmic and shows positive values alone.
    """
    rows = height - 1
    if width < 1 or rows < 1:
        return []
    least, most = INTERVALS
    scale = nice_scale(_values(curves, references), min(most, max(least, rows)), log=log)
    labels = {} if scale is None else _labels(scale, rows)
    gutter = max((len(label) for label in labels.values()), default=0) + 1
    if width - gutter < NARROWEST:
        labels, gutter = {}, 0
    raster = Raster(width - gutter, rows)
    if scale is not None:
        for curve in curves:
            _draw(raster, curve, span, scale)
        for curve in curves:
            _mark(raster, curve, span, scale, chart_style)
        for reference in references:
            _refer(raster, reference, scale, chart_style)
    broken = _mark_broken(raster, curves, span, chart_style)
    lines = raster.lines(braille=chart_style.glyphs.braille)
    if scale is None and not broken and empty:
        lines[rows // 2] = Text(empty[: raster.width].center(raster.width), chart_style.palette.dim)
    found = []
    for row, line in enumerate(lines):
        label = labels.get(row, "").rjust(gutter - 1) + " " if gutter else ""
        found.append(Text.assemble((label, chart_style.palette.axis), line))
    ticks = [Tick(_x_place(x, span), word) for x, word in span.ticks]
    axis = x_axis(ticks, raster.width, chart_style, span.end)
    return [*found, Text.assemble(" " * gutter, axis)]


def _values(curves: Sequence[Curve], references: Sequence[Reference]) -> Iterator[float]:
    points = (point for curve in curves for point in curve.points if point.finite)
    return chain(
        chain.from_iterable((point.low, point.high) for point in points),
        (reference.value for reference in references),
    )


def _labels(scale: Scale, rows: int) -> dict[int, str]:
    """The labels of the vertical axis by row: every first, second, ... tick, as room allows."""
    ticks = scale.ticks()
    last = max(1, len(ticks) - 1)
    most = max(1, min(last, rows // 2))
    step = scale.step or (scale.high / 2 - scale.low / 2)
    shown = ticks[:: -(-last // most)] if rows > 1 else ticks[:1]
    return {_dot_row(value, scale, rows) // ROWS: number(value, step) for value in shown}


def _x_place(x: float, span: Span) -> float:
    wide = span.high - span.low
    return min(1.0, max(0.0, (x - span.low) / wide)) if wide > 0 else 0.0


def _dot_column(x: float, span: Span, width: int) -> int:
    return round(_x_place(x, span) * (width * COLUMNS - 1))


def _dot_row(value: float, scale: Scale, rows: int) -> int:
    return round((1 - scale.place(value)) * (rows * ROWS - 1))


def _draw(raster: Raster, curve: Curve, span: Span, scale: Scale) -> None:
    """The range of each point as a column of dots, and lines from point to point.

    A line does not go over a value that is not finite.
    """
    before: tuple[int, int] | None = None
    for point in curve.points:
        if not point.finite or (scale.log and point.high <= 0):
            before = None
            continue
        column = _dot_column(point.x, span, raster.width)
        here = (column, _dot_row(point.mean, scale, raster.height))
        low = _dot_row(point.low, scale, raster.height)
        high = _dot_row(point.high, scale, raster.height)
        raster.column(column, high, low, curve.style)
        if before is not None:
            raster.line(before, here, curve.style, 2 if curve.dotted else 0)
        before = here


def _mark(raster: Raster, curve: Curve, span: Span, scale: Scale, chart_style: ChartStyle) -> None:
    if not curve.mark or len(curve.points) * 2 > raster.width:
        return
    for point in curve.points:
        if point.finite:
            column = _dot_column(point.x, span, raster.width) // COLUMNS
            row = _dot_row(point.mean, scale, raster.height) // ROWS
            best = curve.best is not None and point.x == curve.best
            raster.sign(column, row, chart_style.glyphs.best if best else curve.mark, curve.style)


def _mark_broken(
    raster: Raster, curves: Sequence[Curve], span: Span, chart_style: ChartStyle
) -> bool:
    broken = [point.x for curve in curves for point in curve.points if point.broken]
    for x in broken:
        column = _dot_column(x, span, raster.width) // COLUMNS
        raster.sign(column, 0, chart_style.glyphs.broken, chart_style.palette.bad)
    return bool(broken)


def _refer(raster: Raster, reference: Reference, scale: Scale, chart_style: ChartStyle) -> None:
    """A level line where nothing else is drawn, with the name at an end that is free."""
    if not math.isfinite(reference.value) or (scale.log and reference.value <= 0):
        return
    row = _dot_row(reference.value, scale, raster.height) // ROWS
    wide = cell_len(reference.name) + 1
    free = [raster.empty(column, row) for column in range(raster.width)]
    named = range(0)
    for begin in (raster.width - wide + 1, 0):
        places = range(max(0, begin - 1), min(raster.width, begin + wide))
        if begin >= 0 and wide < raster.width and all(free[place] for place in places):
            named = range(begin, begin + wide - 1)
            break
    for column in range(raster.width):
        if column in named:
            raster.sign(column, row, reference.name[column - named.start], reference.style)
        elif free[column] and column + 1 not in named and column != named.stop:
            every_second = chart_style.glyphs.braille or column % 2 == 0
            raster.sign(
                column, row, chart_style.glyphs.reference if every_second else " ", reference.style
            )
