"""Foreign text cut to the room that a picture has for it, with the picture's own ellipsis."""

from __future__ import annotations

from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.words.formats import shown

__all__ = ["fitted"]


def fitted(text: str, columns: int, chart_style: ChartStyle) -> str:
    """`text` on one line, without control characters, cut to `columns` cells."""
    found = shown(text, columns)
    if found.endswith("…") and not text.endswith("…"):
        return found[:-1] + chart_style.glyphs.ellipsis
    return found
