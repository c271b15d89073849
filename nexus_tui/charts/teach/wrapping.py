"""Foreign text in a number of lines: wrapped at words, or cut with an ellipsis."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from nexus_engine.errors import one_line
from nexus_tui.charts.kit.chart_style import ChartStyle

__all__ = ["MAX_SHOWN", "clean", "flowed", "wrapped"]

MAX_SHOWN = 4000
"""Characters of a text that are laid out; the rest could not be seen on any terminal."""


def clean(text: str) -> str:
    """`text` on one line, without control characters, at most `MAX_SHOWN` long."""
    return one_line(text, MAX_SHOWN)


def wrapped(text: Text, width: int, rows: int, chart_style: ChartStyle) -> list[Text]:
    """`text` in at most `rows` lines of `width` cells; an ellipsis ends it where it is cut."""
    if width < 2 or rows < 1:
        return []
    lines = list(text.wrap(Console(width=width, color_system=None), width))
    if len(lines) <= rows:
        return lines
    last = lines[rows - 1]
    last.rstrip()
    last.truncate(width - len(chart_style.glyphs.ellipsis))
    last.append(chart_style.glyphs.ellipsis, chart_style.palette.dim)
    return lines[:rows]


def flowed(parts: Sequence[Text], width: int, rows: int, *, gap: int = 2) -> tuple[list[Text], int]:
    """`parts` side by side in lines of `width` cells, and the number that found no room."""
    lines: list[Text] = []
    for placed, part in enumerate(parts):
        fits = lines and lines[-1].cell_len + gap + part.cell_len <= width
        if fits:
            lines[-1].append(" " * gap).append_text(part)
        elif len(lines) < rows:
            line = part.copy()
            line.truncate(width)
            lines.append(line)
        else:
            return lines, len(parts) - placed
    return lines, 0
