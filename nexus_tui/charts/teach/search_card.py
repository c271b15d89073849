"""A question to judge: the passages found, their marks, and the one under the cursor in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from rich.style import Style
from rich.text import Text

from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.pairs.bars import clipped
from nexus_tui.charts.teach.wrapping import clean, wrapped

__all__ = ["Mark", "PassageRow", "SearchCard", "passage_at", "search_card"]

Mark = Literal["yes", "no", "unsure", ""]
"""What the user said of a passage; "" is nothing, so that it stays unknown."""
MAX_QUESTION_ROWS = 2
MIN_DETAIL_ROWS = 3
"""Lines of the passage in full that the list leaves, and scrolls for."""


class PassageRow(NamedTuple):
    """A passage: the key that marks it, its text, where it stands, and its mark."""

    key: str
    text: str
    source: str
    mark: Mark


class SearchCard(NamedTuple):
    """What the card shows; `cursor` is the place of a passage in `passages`."""

    question: str
    passages: Sequence[PassageRow]
    cursor: int
    note: str
    edited: bool = False


class _Places(NamedTuple):
    question: list[Text]
    first: int
    shown: int
    detail: int


def search_card(card: SearchCard, width: int, height: int, chart_style: ChartStyle) -> list[Text]:
    """At most `height` lines of at most `width` cells."""
    palette = chart_style.palette
    places = _places(card, width, height, chart_style)
    lines = list(places.question)
    lines.append(Text(clipped(card.note, width, chart_style), palette.dim))
    lines += [
        _row(card.passages[place], place == card.cursor, width, chart_style)
        for place in range(places.first, places.first + places.shown)
    ]
    if places.detail > 1 and card.passages:
        lines += _detail(card.passages[card.cursor], width, places.detail, chart_style)
    return lines[:height]


def passage_at(
    card: SearchCard, row: int, width: int, height: int, chart_style: ChartStyle
) -> int | None:
    """The place of the passage that `search_card` draws in line `row`; None for another line."""
    places = _places(card, width, height, chart_style)
    place = places.first + row - len(places.question) - 1
    return place if places.first <= place < places.first + places.shown else None


def _places(card: SearchCard, width: int, height: int, chart_style: ChartStyle) -> _Places:
    title = chart_style.palette.title
    question = wrapped(Text(clean(card.question), title), width - 3, MAX_QUESTION_ROWS, chart_style)
    lines = [
        Text.assemble(("   " if number else "Q  ", title), line)
        for number, line in enumerate(question)
    ]
    room = height - len(lines) - 1
    total = len(card.passages)
    shown = max(1, min(total, room - MIN_DETAIL_ROWS - 1)) if total else 0
    first = max(0, min(card.cursor - shown // 2, total - shown))
    return _Places(lines, first, shown, room - shown)


def _row(row: PassageRow, selected: bool, width: int, chart_style: ChartStyle) -> Text:
    palette = chart_style.palette
    sign, style = _sign(row.mark, chart_style)
    pointer = chart_style.glyphs.selected if selected else " "
    line = Text.assemble((f"{pointer}{row.key:>2} ", palette.title), (f"{sign} ", style))
    text_style = palette.dim if row.mark == "no" else palette.text
    line.append(clipped(row.text, width - line.cell_len, chart_style), text_style)
    if selected:
        return Text(line.plain.ljust(width), palette.selected)
    return line


def _sign(mark: Mark, chart_style: ChartStyle) -> tuple[str, Style]:
    palette = chart_style.palette
    return {
        "yes": ("y", palette.good),
        "no": ("n", palette.bad),
        "unsure": ("?", palette.warn),
        "": (chart_style.glyphs.dot, palette.dim),
    }[mark]


WORDS: dict[Mark, str] = {
    "yes": "answers it",
    "no": "does not answer it",
    "unsure": "unsure",
    "": "unknown",
}


def _detail(row: PassageRow, width: int, rows: int, chart_style: ChartStyle) -> list[Text]:
    """A rule with the source and the mark, then the text, in `rows` lines."""
    palette = chart_style.palette
    source = clipped(row.source, max(1, width - len(WORDS[row.mark]) - 8), chart_style)
    words = f"{source}: {WORDS[row.mark]}" if source else WORDS[row.mark]
    rule = Text.assemble(
        (chart_style.glyphs.line * 2 + " ", palette.axis), (words, _sign(row.mark, chart_style)[1])
    )
    rest = width - rule.cell_len - 1
    rule.append(" " + chart_style.glyphs.line * max(0, rest), palette.axis)
    text = Text(clean(row.text), palette.text)
    return [rule, *wrapped(text, width, rows - 1, chart_style)]
