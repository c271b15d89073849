"""Dev scores by epoch, of one run or of several in one chart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from rich.style import Style
from rich.text import Text

from nexus_engine.runs.series import SeriesPoint
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.plot import Curve, Reference, Span, plot

__all__ = ["DevCurve", "dev_curves"]

MAX_TICKS = 8
"""Approximate maximum of epochs labelled under the curves."""


class DevCurve(NamedTuple):
    """(epoch, dev score) points of a run; `mark` is drawn on each and identifies the run."""

    points: Sequence[tuple[int, float]]
    mark: str
    style: Style
    best_epoch: int | None = None


def dev_curves(
    curves: Sequence[DevCurve],
    *,
    width: int,
    height: int,
    chart_style: ChartStyle,
    base: float | None = None,
) -> list[Text]:
    """`height` lines of `width` cells. `base` is drawn as a horizontal line."""
    last = max((epoch for curve in curves for epoch, _ in curve.points), default=0)
    every = max(1, math.ceil(last / MAX_TICKS))
    ticks = [(float(epoch), str(epoch)) for epoch in range(0, last + 1, every)]
    span = Span(low=0.0, high=float(max(1, last)), ticks=ticks, end="epoch")
    drawn = [
        Curve(
            points=[_point(epoch, value) for epoch, value in curve.points],
            style=curve.style,
            dotted=place % 2 == 1,
            mark=curve.mark,
            best=curve.best_epoch,
        )
        for place, curve in enumerate(curves)
    ]
    references = (
        [] if base is None else [Reference(name="base", value=base, style=chart_style.palette.base)]
    )
    return plot(
        drawn, span, width=width, height=height, chart_style=chart_style, references=references
    )


def _point(epoch: int, value: float) -> SeriesPoint:
    finite = int(math.isfinite(value))
    value = value if finite else math.nan
    return SeriesPoint(float(epoch), value, value, value, 1, finite)
