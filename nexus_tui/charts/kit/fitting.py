"""Text cut, padded or wrapped to a number of cells."""

from __future__ import annotations

import textwrap

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from nexus_engine.errors import one_line
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.words.formats import shown

__all__ = ["fitted", "padded", "wrapped"]


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


def wrapped(text: str, width: int, height: int, style: Style) -> list[Text]:
    """Foreign `text` without control characters over at most `height` lines."""
    lines = textwrap.wrap(one_line(text, 600), max(8, width), break_on_hyphens=False)
    return [Text(line, style=style) for line in lines[:height]]
