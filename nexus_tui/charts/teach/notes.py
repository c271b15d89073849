"""Lines of the screen Teach around the card: its head, and what stands there without an item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.pairs.bars import clipped

__all__ = ["TITLES", "head_line", "message_lines"]

TITLES = {"search": "Search", "pairs": "Pairs"}
"""Title of each kind of item."""
MIN_NAME = 12
"""Cells that the data keep in the head; the label file goes first."""


def head_line(
    kind: str, kinds: Sequence[str], data: str, labels: str, width: int, chart_style: ChartStyle
) -> Text:
    """The kinds with the present one marked; at the right the data, and the label file."""
    palette = chart_style.palette
    line = Text(" ")
    for name in kinds:
        mark = chart_style.glyphs.selected if name == kind else " "
        line.append(f"{mark}{TITLES[name]}  ", palette.title if name == kind else palette.dim)
    room = width - line.cell_len - 1
    words = f"{data} to {labels}" if labels else data
    if len(words) > room and room - len(labels) - 4 < MIN_NAME:
        words = data
    words = clipped(words, room, chart_style)
    line.append(" " * max(0, room - Text(words).cell_len))
    return line.append(words, palette.dim)


def message_lines(
    title: str,
    lines: Sequence[str],
    keys: Mapping[str, str],
    width: int,
    height: int,
    chart_style: ChartStyle,
) -> list[Text]:
    """A title, lines of text, and keys with what they do, in the middle of the screen."""
    palette = chart_style.palette
    parts = [Text(clipped(title, width, chart_style), palette.title), Text()]
    for words in lines:
        parts += _flow(words, width, palette.text)
    if keys:
        parts.append(Text())
    parts += [Text.assemble((f"{key}  ", palette.title), words) for key, words in keys.items()]
    left = " " * max(0, (width - max(part.cell_len for part in parts)) // 2)
    above = max(0, (height - len(parts)) // 3)
    return [*[Text()] * above, *(Text(left).append_text(part) for part in parts)][:height]


def _flow(words: str, width: int, style: object) -> list[Text]:
    import textwrap

    return [Text(line, style) for line in textwrap.wrap(words, max(20, min(width, 72)))]  # type: ignore[arg-type]
