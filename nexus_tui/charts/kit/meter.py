"""A progress bar, and a sparkline."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from nexus_tui.charts.kit.chart_style import ChartStyle

__all__ = ["meter", "spark"]


def meter(share: float, cells: int, chart_style: ChartStyle) -> Text:
    """A bar of `cells` cells, filled to `share`, 0..1; empty if `share` is not finite."""
    glyphs, palette = chart_style.glyphs, chart_style.palette
    filled = min(max(share, 0.0), 1.0) * cells if math.isfinite(share) else 0.0
    full = int(filled)
    part = int((filled - full) * (len(glyphs.bar_part) + 1)) if full < cells else 0
    bar = glyphs.bar_full * full + (glyphs.bar_part[part - 1] if part else "")
    rest = glyphs.bar_empty * (cells - len(bar))
    return Text.assemble((bar, palette.run), (rest, palette.axis))


def spark(values: Sequence[float], cells: int, chart_style: ChartStyle) -> str:
    """The last `cells` values as bars of one line, scaled from their lowest to their highest.

    A value that is not finite has its own sign. Values that are all equal are half as high.
    """
    shown = values[-cells:] if cells > 0 else ()
    finite = [value for value in shown if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    top = len(chart_style.glyphs.levels) - 1
    span = high / 2 - low / 2
    signs = []
    for value in shown:
        if not math.isfinite(value):
            signs.append(chart_style.glyphs.broken)
        else:
            place = (value / 2 - low / 2) / span if span > 0 else 0.5
            signs.append(chart_style.glyphs.levels[1 + round(place * (top - 1))])
    return "".join(signs)
