"""Curves over a horizontal axis as lines of text.

No library draws them: textual-plot 0.10.1 drops NaN and infinite values silently, has no plain
ASCII form, and sends 47 KB/s to the terminal for one curve redrawn twice a second at 80x24
(measured on a pty). This plot, on the app's canvas, sends only the cells that changed.
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
from nexus_tui.charts.kit.axis import Scale, Tick, nice_scale, tick_labels, x_axis
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.raster import COLUMNS, ROWS, Raster

__all__ = ["Curve", "Reference", "Span", "plot"]

MIN_COLUMNS = 8
"""Columns for the curves; with fewer, the labels of the vertical axis are left out."""
MIN_INTERVALS, MAX_INTERVALS = 3, 8
"""Intervals between round numbers on the vertical axis: one for each row within these bounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Points by rising x. A point spans its lowest to its highest value: nothing is smoothed.

    `dotted` sets the curve apart without colour. `mark` is a character drawn on each point, except
    on the one at x = `best`, which has the sign of the best.
    """

    points: Sequence[SeriesPoint]
    style: Style
    dotted: bool = False
    mark: str = ""
    best: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A horizontal line at `value`, labelled with its name."""

    name: str
    value: float
    style: Style


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The horizontal axis from `low` to `high`, with labelled ticks and `end` at its right end."""

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
    """`height` lines of `width` cells: the curves, the vertical and the horizontal axis.

    A value that is not finite is marked at the top of its column. `empty` is shown if there is no
    value at all. With `log`, the vertical axis is logarithmic and shows only positive values.
    """
    rows = height - 1
    if width < 1 or rows < 1:
        return []
    intervals = min(MAX_INTERVALS, max(MIN_INTERVALS, rows))
    scale = nice_scale(_values(curves, references), intervals, log=log)
    labels = {} if scale is None else _labels(scale, rows)
    gutter = max((len(label) for label in labels.values()), default=0) + 1
    if width - gutter < MIN_COLUMNS:
        labels, gutter = {}, 0
    raster = Raster(width - gutter, rows)
    if scale is not None:
        for curve in curves:
            _draw(raster, curve, span, scale)
        for curve in curves:
            _mark(raster, curve, span, scale, chart_style)
        for reference in references:
            _refer(raster, reference, scale, chart_style)
    any_broken = _mark_broken(raster, curves, span, chart_style)
    lines = raster.lines(braille=chart_style.glyphs.braille)
    if scale is None and not any_broken and empty:
        lines[rows // 2] = Text(empty[: raster.width].center(raster.width), chart_style.palette.dim)
    chart = []
    for row, line in enumerate(lines):
        label = labels.get(row, "").rjust(gutter - 1) + " " if gutter else ""
        chart.append(Text.assemble((label, chart_style.palette.axis), line))
    ticks = [Tick(_x_place(x, span), word) for x, word in span.ticks]
    axis = x_axis(ticks, raster.width, chart_style, span.end)
    return [*chart, Text.assemble(" " * gutter, axis)]


def _values(curves: Sequence[Curve], references: Sequence[Reference]) -> Iterator[float]:
    points = (point for curve in curves for point in curve.points if point.finite)
    return chain(
        chain.from_iterable((point.low, point.high) for point in points),
        (reference.value for reference in references),
    )


def _labels(scale: Scale, rows: int) -> dict[int, str]:
    """The labels of the vertical axis by row: those of every n-th tick, as room allows."""
    ticks = scale.ticks()
    last = max(1, len(ticks) - 1)
    max_intervals = max(1, min(last, rows // 2))
    labelled = ticks[:: -(-last // max_intervals)] if rows > 1 else ticks[:1]
    step = 0.0 if scale.log else scale.step or (scale.high / 2 - scale.low / 2)
    labels = tick_labels(labelled, step)
    places = [_dot_row(value, scale, rows) // ROWS for value in labelled]
    return dict(zip(places, labels, strict=True))


def _x_place(x: float, span: Span) -> float:
    length = span.high - span.low
    return min(1.0, max(0.0, (x - span.low) / length)) if length > 0 else 0.0


def _dot_column(x: float, span: Span, width: int) -> int:
    return round(_x_place(x, span) * (width * COLUMNS - 1))


def _dot_row(value: float, scale: Scale, rows: int) -> int:
    return round((1 - scale.place(value)) * (rows * ROWS - 1))


def _draw(raster: Raster, curve: Curve, span: Span, scale: Scale) -> None:
    """Draw the range of each point as a column of dots, and lines from point to point.

    No line crosses a value that is not finite.
    """
    previous: tuple[int, int] | None = None
    for point in curve.points:
        if not point.finite or (scale.log and point.high <= 0):
            previous = None
            continue
        column = _dot_column(point.x, span, raster.width)
        place = (column, _dot_row(point.mean, scale, raster.height))
        low = _dot_row(point.low, scale, raster.height)
        high = _dot_row(point.high, scale, raster.height)
        raster.column(column, high, low, curve.style)
        if previous is not None:
            raster.line(previous, place, curve.style, 2 if curve.dotted else 0)
        previous = place


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
    """Draw a horizontal line where the row is free, with the name at a free end."""
    if not math.isfinite(reference.value) or (scale.log and reference.value <= 0):
        return
    row = _dot_row(reference.value, scale, raster.height) // ROWS
    name_width = cell_len(reference.name) + 1
    free = [raster.empty(column, row) for column in range(raster.width)]
    named = range(0)
    for begin in (raster.width - name_width + 1, 0):
        places = range(max(0, begin - 1), min(raster.width, begin + name_width))
        if begin >= 0 and name_width < raster.width and all(free[place] for place in places):
            named = range(begin, begin + name_width - 1)
            break
    for column in range(raster.width):
        if column in named:
            raster.sign(column, row, reference.name[column - named.start], reference.style)
        elif free[column] and column + 1 not in named and column != named.stop:
            every_second = chart_style.glyphs.braille or column % 2 == 0
            raster.sign(
                column, row, chart_style.glyphs.reference if every_second else " ", reference.style
            )
