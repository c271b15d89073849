"""Cosines as bars, differences in words, and the path of a pinned pair over checkpoints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text

from nexus_engine.errors import one_line
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.words.formats import correlation, gain

__all__ = ["PairValues", "bar", "change", "clipped", "pair_picture", "path", "rise", "two_sides"]

MIN_DIFFERENCE = 0.00005
"""Smaller differences vanish in four digits."""
MIN_SPAN = 0.02
"""A path that moves less is drawn nearly flat, so that noise is not magnified."""
MAX_CUT = 11
"""Cells given up so that a text ends after a whole word."""
LABEL = 7
FIGURE = 9


class PairValues(NamedTuple):
    """Cosines of one pair; `tuned` is None without a tuned model."""

    base: float
    tuned: float | None


def clipped(text: str, columns: int, chart_style: ChartStyle) -> str:
    """Foreign text on one line, without control characters, cut to `columns` cells.

    The cut falls after a whole word if that costs few cells.
    """
    if columns < 1:
        return ""
    clean = one_line(text, 4 * columns + 8)
    if cell_len(clean) <= columns:
        return clean
    cut = set_cell_size(clean, columns - 1)
    words, space, _ = cut.rpartition(" ")
    after_word = clean[len(cut) : len(cut) + 1] == " " or cut.endswith(" ")
    if space and not after_word and cell_len(words) >= columns - min(MAX_CUT, columns // 5):
        cut = words
    return cut.rstrip(" ,;:.") + chart_style.glyphs.ellipsis


def bar(
    value: float, cells: int, chart_style: ChartStyle, style: Style, mark: float | None = None
) -> Text:
    """A cosine as a bar of `cells` cells for 0..1; crosses if it is not finite.

    `mark` is the cosine to compare with: the part beyond it is drawn as a gain, the part missing up
    to it as a loss.
    """
    glyphs, palette = chart_style.glyphs, chart_style.palette
    line = Text()
    if not math.isfinite(value):
        return line.append(glyphs.broken * cells, palette.bad)
    filled, part = _filled(value, cells, chart_style)
    mark_cells = (
        _filled(mark, cells, chart_style)[0] if mark is not None and math.isfinite(mark) else filled
    )
    line.append(glyphs.bar_full * min(filled, mark_cells), style)
    if filled > mark_cells:
        line.append(glyphs.bar_full * (filled - mark_cells), palette.good)
    if part:
        line.append(part, palette.good if mark is not None and value > mark else style)
    used = filled + len(part)
    if mark_cells > used:
        line.append(glyphs.reference * (mark_cells - used), palette.warn)
        used = mark_cells
    return line.append(glyphs.bar_empty * (cells - used), palette.dim)


def _filled(value: float, cells: int, chart_style: ChartStyle) -> tuple[int, str]:
    """The number of full cells, and the sign of a partly full one, if any."""
    length = min(max(value, 0.0), 1.0) * cells
    parts = chart_style.glyphs.bar_part
    if not parts:
        return round(length), ""
    full = int(length)
    eighths = int((length - full) * (len(parts) + 1))
    return full, parts[eighths - 1] if eighths else ""


def change(difference: float | None, chart_style: ChartStyle) -> tuple[str, Style]:
    """A signed difference with an arrow, and its style; empty for None."""
    glyphs, palette = chart_style.glyphs, chart_style.palette
    if difference is None:
        return "", palette.dim
    if not math.isfinite(difference):
        return f"{glyphs.broken} {difference}", palette.bad
    if abs(difference) < MIN_DIFFERENCE:
        return f"{glyphs.same} {gain(0.0)}", palette.dim
    if difference > 0:
        return f"{glyphs.up} {gain(difference)}", palette.good
    return f"{glyphs.down} {gain(difference)}", palette.warn


def rise(ranks: int | None, chart_style: ChartStyle) -> tuple[str, Style]:
    """The number of ranks moved up or down, with an arrow, and its style; empty for None."""
    glyphs, palette = chart_style.glyphs, chart_style.palette
    if ranks is None:
        return "", palette.dim
    if not ranks:
        return glyphs.same, palette.dim
    if ranks > 0:
        return f"{glyphs.up}{ranks}", palette.good
    return f"{glyphs.down}{-ranks}", palette.warn


def pair_picture(
    values: PairValues, width: int, chart_style: ChartStyle, *, fresh: bool = True
) -> list[Text]:
    """A bar for the base model, a bar for the tuned model, and the difference in words.

    With `fresh` False the cosines belong to an earlier pair and are drawn faint.
    """
    palette = chart_style.palette
    cells = max(4, width - LABEL - FIGURE)
    lines = [
        _figure(
            "base", values.base, bar(values.base, cells, chart_style, palette.base), chart_style
        )
    ]
    if values.tuned is None:
        lines += [Text(), Text("the base model alone: nothing is tuned here", palette.dim)]
    else:
        drawn = bar(values.tuned, cells, chart_style, palette.run, mark=values.base)
        lines.append(_figure("tuned", values.tuned, drawn, chart_style))
        words, style = change(values.tuned - values.base, chart_style)
        line = Text(" " * LABEL)
        line.append(words, style)
        line.append(_verdict(values.tuned - values.base, width - LABEL - len(words)), palette.text)
        lines.append(line)
    if not fresh:
        lines = [Text(line.plain, palette.dim) for line in lines]
    return lines


def _figure(label: str, value: float, drawn: Text, chart_style: ChartStyle) -> Text:
    line = Text.assemble((f"{label:<{LABEL}}", chart_style.palette.dim), drawn)
    style = chart_style.palette.text if math.isfinite(value) else chart_style.palette.bad
    return line.append(f"{correlation(value):>{FIGURE}}", style)


def _verdict(difference: float, room: int) -> str:
    if not math.isfinite(difference):
        long, short = "not a finite number: these weights cannot be used", "not finite"
    elif abs(difference) < MIN_DIFFERENCE:
        long, short = "training did not change their similarity", "unchanged"
    elif difference > 0:
        long, short = "training brought them closer", "closer"
    else:
        long, short = "training moved them apart", "further apart"
    for words in (long, short):
        if len(words) + 2 <= room:
            return f"  {words}"
    return ""


def path(values: Sequence[float], cells: int, chart_style: ChartStyle) -> Text:
    """The last `cells` values, one a cell, scaled from their lowest to their highest.

    A value that is not finite is a cross.
    """
    glyphs, palette = chart_style.glyphs, chart_style.palette
    recent = list(values)[-cells:] if cells > 0 else []
    finite = [value for value in recent if math.isfinite(value)]
    line = Text()
    if not finite:
        return line.append(glyphs.broken * len(recent), palette.bad)
    low, high = min(finite), max(finite)
    if high - low < MIN_SPAN:
        middle = (low + high) / 2
        low, high = middle - MIN_SPAN / 2, middle + MIN_SPAN / 2
    levels = glyphs.levels[1:]
    for value in recent:
        if math.isfinite(value):
            place = round((value - low) / (high - low) * (len(levels) - 1))
            line.append(levels[min(max(place, 0), len(levels) - 1)], palette.run)
        else:
            line.append(glyphs.broken, palette.bad)
    return line


def two_sides(first: str, second: str, columns: int, chart_style: ChartStyle) -> str:
    """Two sentences side by side in `columns` cells, with the second in a fixed column."""
    separator = f" {chart_style.glyphs.upright} "
    half = (columns - len(separator)) // 2
    if half < 4:
        return clipped(first, columns, chart_style)
    left = clipped(first, half, chart_style)
    left += " " * (half - cell_len(left))
    return left + separator + clipped(second, columns - half - len(separator), chart_style)
