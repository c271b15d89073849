"""Rows of the playground's lists: history, pins, scored pairs, matches."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.pairs.bars import change, clipped, path, rise, two_sides
from nexus_tui.words.formats import correlation

__all__ = [
    "FULL_BELOW",
    "FULL_BESIDE",
    "PAIR_COLUMNS",
    "answers_line",
    "heading",
    "match_row",
    "match_words",
    "pair_lines",
    "pair_row",
    "pin_columns",
    "pin_lines",
    "pin_row",
    "side_width",
]

CHANGE = 9
WIDE_PATH = 12
NARROW_PATH = 8
FULL_BESIDE, FULL_BELOW = 66, 48
"""Widths from which a pin shows its first value, with sentences side by side or on two lines."""


def _value(value: float | None, chart_style: ChartStyle) -> tuple[str, Style]:
    palette = chart_style.palette
    if value is None:
        return f"{'-':>7}", palette.dim
    return f"{correlation(value):>7}", palette.text if math.isfinite(value) else palette.bad


def _justified(left: Text, right: Text, width: int) -> Text:
    """`left` at the left edge and `right` at the right edge of `width` cells."""
    gap = max(0, width - left.cell_len - right.cell_len)
    return Text.assemble(left, " " * gap, right)


def heading(title: str, note: str, columns: str, width: int, chart_style: ChartStyle) -> Text:
    """A list's title, a note if it fits, and the names of the columns at the right."""
    left = Text().append(title, chart_style.palette.title)
    room = width - len(title) - len(columns) - 3
    if note and room >= len(note):
        left.append(f"  {note}", chart_style.palette.dim)
    return _justified(left, Text(columns, chart_style.palette.dim), width)


def pair_row(
    first: str, second: str, base: float, tuned: float | None, width: int, chart_style: ChartStyle
) -> Text:
    """Two sentences, their cosines by base and tuned, and the change."""
    return _beside(first, second, _pair_figures(base, tuned, chart_style), width, chart_style)


def pair_lines(
    first: str, second: str, base: float, tuned: float | None, width: int, chart_style: ChartStyle
) -> list[Text]:
    """The same on two lines, with more room for the sentences."""
    return _below(first, second, _pair_figures(base, tuned, chart_style), width, chart_style)


def _beside(first: str, second: str, right: Text, width: int, chart_style: ChartStyle) -> Text:
    room = width - right.cell_len - 2
    return _justified(
        Text(two_sides(first, second, room, chart_style), chart_style.palette.text), right, width
    )


def _below(first: str, second: str, right: Text, width: int, chart_style: ChartStyle) -> list[Text]:
    left = Text(clipped(second, width - right.cell_len - 2, chart_style), chart_style.palette.text)
    return [
        Text(clipped(first, width, chart_style), chart_style.palette.text),
        _justified(left, right, width),
    ]


def _pair_figures(base: float, tuned: float | None, chart_style: ChartStyle) -> Text:
    figures = Text()
    figures.append(*_value(base, chart_style))
    figures.append("  ")
    figures.append(*_value(tuned, chart_style))
    words, style = change(None if tuned is None else tuned - base, chart_style)
    return figures.append(f"  {words:>{CHANGE}}", style)


PAIR_COLUMNS = f"{'base':>7}  {'tuned':>7}  {'change':>{CHANGE}}"


def pin_columns(*, full: bool) -> str:
    """The names of a pin's columns; with `full`, the first value as well."""
    if not full:
        return f"{'base':>7}  {'now':>8}  {'path':<{NARROW_PATH}}"
    return f"{'base':>7}  {'first':>7}  {'now':>8}  {'path':<{WIDE_PATH}}"


def pin_row(
    pair: tuple[str, str],
    base: float | None,
    now: float | None,
    points: Sequence[float],
    width: int,
    chart_style: ChartStyle,
) -> Text:
    """A pinned pair: base, first and latest cosine, and the path over checkpoints."""
    full = width >= FULL_BESIDE
    return _beside(*pair, _pin_figures(base, now, points, full, chart_style), width, chart_style)


def pin_lines(
    pair: tuple[str, str],
    base: float | None,
    now: float | None,
    points: Sequence[float],
    width: int,
    chart_style: ChartStyle,
) -> list[Text]:
    """The same on two lines, with more room for the sentences."""
    full = width >= FULL_BELOW
    return _below(*pair, _pin_figures(base, now, points, full, chart_style), width, chart_style)


def _pin_figures(
    base: float | None,
    now: float | None,
    points: Sequence[float],
    full: bool,
    chart_style: ChartStyle,
) -> Text:
    figures = Text()
    figures.append(*_value(base, chart_style))
    if full:
        figures.append("  ")
        figures.append(*_value(points[0] if points else None, chart_style))
    difference = None if now is None or base is None else now - base
    words, style = change(difference, chart_style)
    figures.append(f"  {words[:1]:>1}", style)
    figures.append(*_value(now, chart_style))
    cells = WIDE_PATH if full else NARROW_PATH
    drawn = path(points, cells, chart_style)
    drawn.append(" " * (cells - drawn.cell_len))
    return figures.append("  ").append(drawn)


def side_width(width: int) -> int:
    """Cells for each of two columns with a separator between them."""
    return (width - 3) // 2


def match_row(
    rank: int,
    cosine: float,
    moved: int | None,
    sentence: str,
    width: int,
    chart_style: ChartStyle,
    *,
    is_answer: bool = False,
) -> Text:
    """A match: its rank, cosine, ranks moved by training (None without a tuned model), sentence.

    A known answer of the query has a star.
    """
    palette = chart_style.palette
    line = Text().append(f"{rank:>3} ", palette.dim)
    line.append(correlation(cosine), palette.text if math.isfinite(cosine) else palette.bad)
    words, style = rise(moved, chart_style)
    line.append(f" {words:<5} " if moved is not None else "  ", style)
    if is_answer:
        line.append(f"{chart_style.glyphs.best} ", palette.good)
    style = palette.good if is_answer else palette.text
    line.append(clipped(sentence, width - line.cell_len, chart_style), style)
    return line


def match_words(
    line: int,
    times: int,
    base_rank: int | None,
    base: float | None,
    tuned_rank: int | None,
    tuned: float | None,
    *,
    unit: str = "line",
    source: str = "",
) -> str:
    """The line or passage of a match, its document if known, and its ranks in words.

    A rank is None where there is no such model.
    """
    more = f" and {times - 1:,} more" if times > 1 else ""
    where = f" of {source}" if source else ""
    sides = (("base", base_rank, base), ("tuned", tuned_rank, tuned))
    ranks = [
        f"rank {rank:,} by {name} ({correlation(cosine)})"
        for name, rank, cosine in sides
        if rank is not None
    ]
    return f"{unit} {line:,}{more}{where}: {', '.join(ranks)}"


def answers_line(
    number: int,
    total: int,
    split: str,
    ranks: Sequence[tuple[int | None, int | None]],
    width: int,
    chart_style: ChartStyle,
) -> Text:
    """Which question of the corpus the query is, and the ranks of its known answers.

    `ranks` are those by base and by tuned, None without such a model: "answer: rank 14 -> 2". There
    are none where a filter leaves the answers out.
    """
    palette, glyphs = chart_style.palette, chart_style.glyphs
    line = Text()
    label = "answer: rank " if len(ranks) == 1 else f"{len(ranks)} answers: ranks "
    if not ranks:
        label = "no known answer in these files"
    for lead in (f"question {number:,} of {total:,}, {split}  ", f"question {number:,}  ", ""):
        if len(lead) + len(label) + 18 <= width:
            line.append(lead, palette.dim)
            break
    line.append(label, palette.text)
    for place, (base, tuned) in enumerate(ranks):
        known = [f"{rank:,}" for rank in (base, tuned) if rank is not None]
        words = f"{', ' if place else ''}{f' {glyphs.arrow} '.join(known)}"
        rest = len(ranks) - place
        more = f" and {rest} more"
        last = place == len(ranks) - 1
        if place and line.cell_len + len(words) + (0 if last else len(more)) > width:
            line.append(clipped(more, width - line.cell_len, chart_style), palette.dim)
            break
        style = palette.text
        if tuned is not None and base is not None and tuned != base:
            style = palette.good if tuned < base else palette.warn
        line.append(words, style)
    line.truncate(width)
    return line
