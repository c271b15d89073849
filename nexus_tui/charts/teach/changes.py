"""What a retrain changed: pinned items before and after, and verdicts now right or now wrong."""

from __future__ import annotations

from typing import NamedTuple

from rich.text import Text

from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.pairs.bars import change, clipped, rise, two_sides
from nexus_tui.words.formats import correlation, count

__all__ = ["ChangeRow", "PinnedPair", "PinnedQuestion", "change_row", "pinned_row", "summary_line"]


class PinnedQuestion(NamedTuple):
    """A question and the ranks of its nearest answer before and after; None where unknown."""

    question: str
    before: int | None
    after: int | None


class PinnedPair(NamedTuple):
    """A pair and its cosines before and after; None where unknown."""

    first: str
    second: str
    before: float | None
    after: float | None


class ChangeRow(NamedTuple):
    """A verdict and what both models make of it. `said` is the verdict in words."""

    first: str
    second: str
    said: str
    before: str
    after: str
    right_after: bool
    held_out: bool


def pinned_row(pinned: PinnedQuestion | PinnedPair, width: int, chart_style: ChartStyle) -> Text:
    """One line: the item at the left, before and after at the right."""
    palette, glyphs = chart_style.palette, chart_style.glyphs
    figures = Text()
    if isinstance(pinned, PinnedQuestion):
        text, label = pinned.question, "rank "
        before, after = (_rank(value) for value in (pinned.before, pinned.after))
        known = pinned.before is not None and pinned.after is not None
        words, style = rise(pinned.before - pinned.after if known else None, chart_style)  # type: ignore[operator]
    else:
        text, label = "", ""
        before, after = correlation(pinned.before), correlation(pinned.after)
        known = pinned.before is not None and pinned.after is not None
        words, style = change(pinned.after - pinned.before if known else None, chart_style)  # type: ignore[operator]
    figures.append(f"{label}{before}", palette.text).append(f" {glyphs.arrow} ", palette.dim)
    figures.append(after, palette.text).append(f"  {words}", style)
    room = width - figures.cell_len - 2
    if isinstance(pinned, PinnedPair):
        text = two_sides(pinned.first, pinned.second, room, chart_style)
    line = Text(clipped(text, room, chart_style), palette.text)
    line.append(" " * max(2, width - line.cell_len - figures.cell_len))
    return line.append_text(figures)


def _rank(value: int | None) -> str:
    return "-" if value is None else count(value)


def change_row(row: ChangeRow, width: int, chart_style: ChartStyle) -> Text:
    """One line: the texts at the left, the verdict, before and after at the right."""
    palette, glyphs = chart_style.palette, chart_style.glyphs
    style = palette.good if row.right_after else palette.warn
    figures = Text.assemble((f"{row.said}: ", palette.dim), (row.before, palette.text))
    figures.append(f" {glyphs.arrow} ", palette.dim).append(row.after, style)
    figures.append(" held out" if row.held_out else "", palette.dim)
    room = width - figures.cell_len - 2
    line = Text(two_sides(row.first, row.second, max(1, room), chart_style), palette.text)
    line.append(" " * max(2, width - line.cell_len - figures.cell_len))
    return line.append_text(figures)


def summary_line(
    right_before: int, right_after: int, total: int, *, held_out: bool, width: int,
    chart_style: ChartStyle,
) -> Text:  # fmt: skip
    """How many verdicts the model gets right before and after; held-out ones apart."""
    which = "held-out verdicts" if held_out else "verdicts it was trained on"
    words = (
        f"{which}: {right_before} of {total} right before, {right_after} after"
        if total
        else f"{which}: none yet"
    )
    palette = chart_style.palette
    better = right_after > right_before
    return Text(clipped(words, width, chart_style), palette.good if better else palette.text)
