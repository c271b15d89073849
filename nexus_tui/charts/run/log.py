"""Lines of the log, wrapped at words, and the part of them in view."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from rich.style import Style
from rich.text import Text

from nexus_tui.charts.kit.chart_style import ChartStyle

__all__ = ["window", "wrapped"]

INDENT = "  "


def wrapped(lines: Iterable[Text], width: int, chart_style: ChartStyle) -> list[Text]:
    """The lines wrapped to `width` cells, with continuation lines indented.

    The colour names of the headless output become the styles of the theme.
    """
    palette = chart_style.palette
    styles = {
        "dim": palette.dim,
        "green": palette.good,
        "yellow": palette.warn,
        "cyan": palette.run,
    }
    rows: list[Text] = []
    for line in lines:
        style = _style(line, styles, palette.text)
        plain = line.plain.rstrip()
        indent = INDENT if width > 2 * len(INDENT) else ""
        pieces = textwrap.wrap(
            plain, max(1, width), subsequent_indent=indent, drop_whitespace=True,
            initial_indent=" " * (len(plain) - len(plain.lstrip())),
        )  # fmt: skip
        rows += [Text(piece, style) for piece in pieces or [""]]
    return rows


def _style(line: Text, styles: dict[str, Style], plain: Style) -> Style:
    """The style of the line, or of its first coloured span."""
    for name in (line.style, *(span.style for span in line.spans)):
        if isinstance(name, str) and name in styles:
            return styles[name]
    return plain


def window(rows: Sequence[Text], height: int, above_end: int) -> tuple[list[Text], int]:
    """`height` rows that end `above_end` rows above the last one, and `above_end` within bounds."""
    above = min(max(0, above_end), max(0, len(rows) - height))
    end = len(rows) - above
    return list(rows[max(0, end - height) : end]), above
