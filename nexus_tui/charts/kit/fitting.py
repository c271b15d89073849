"""Text cut or padded to a number of cells."""

from __future__ import annotations

from rich.cells import cell_len

from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.words.formats import shown

__all__ = ["fitted", "padded"]


def fitted(text: str, columns: int, chart_style: ChartStyle) -> str:
    """Foreign `text` on one line, without control characters, cut to `columns` cells."""
    line = shown(text, columns)
    if line.endswith("…") and not text.endswith("…"):
        return line[:-1] + chart_style.glyphs.ellipsis
    return line


def padded(text: str, width: int, *, right: bool = False) -> str:
    """`text` padded with spaces to `width` cells; `right` aligns it to the right."""
    space = " " * max(0, width - cell_len(text))
    return space + text if right else text + space
