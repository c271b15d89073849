"""A pair to judge: why it is asked, the two texts with what differs, and the keys of the answers.

The model's own opinion is not shown before the answer, because it would sway the judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text

from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.pairs.bars import clipped
from nexus_tui.charts.teach.differing import differing_spans
from nexus_tui.charts.teach.wrapping import clean, flowed, wrapped

__all__ = ["GRADES", "AnswerKey", "PairCard", "pair_card"]

GRADES = (
    ("unrelated", "about different matters"),
    ("opposite", "about the same subject, and says the opposite"),
    ("differs", "the same kind of statement, but the fact that matters differs"),
    ("partly", "the same event; one leaves out a fact that matters"),
    ("nearly", "the same key fact; a detail differs on which nobody would act"),
    ("same", "the same facts in other words"),
)
"""Of each grade from 0 to 5: its name, and its meaning in full."""
MIN_LEGEND_ROWS = 18
"""From this height, each grade has a line of its own."""


class AnswerKey(NamedTuple):
    """A key, what it answers, and whether that is the standing verdict."""

    key: str
    answer: str
    meaning: str = ""
    chosen: bool = False


class PairCard(NamedTuple):
    """What the card shows. `grades` and `others` are the keys in force."""

    first: str
    second: str
    reason: str
    grades: Sequence[AnswerKey]
    others: Sequence[AnswerKey]
    edited: bool = False


def pair_card(card: PairCard, width: int, height: int, chart_style: ChartStyle) -> list[Text]:
    """At most `height` lines of at most `width` cells."""
    palette = chart_style.palette
    legend = _legend(card, width, height, chart_style)
    reason = f"{card.reason}; edited by you" if card.edited else card.reason
    head = [Text(clipped(reason, width, chart_style), palette.dim)]
    gaps = 3 if height >= 14 else 2
    room = max(2, height - len(head) - len(legend) - gaps)
    texts = _texts(card, width, room, chart_style)
    space = [Text()] if gaps == 3 else []
    lines = [*head, *space, *texts[0], Text(), *texts[1]]
    filler = max(1, height - len(lines) - len(legend))
    return [*lines, *[Text()] * filler, *legend][:height]


def _texts(
    card: PairCard, width: int, room: int, chart_style: ChartStyle
) -> tuple[list[Text], list[Text]]:
    """Both texts; where they are too long together, the shorter one keeps what it needs."""
    palette = chart_style.palette
    first, second = clean(card.first), clean(card.second)
    spans = differing_spans(first, second)
    styled: list[Text] = []
    for words, differing in zip((first, second), spans, strict=True):
        line = Text(words, palette.text)
        for start, end in differing:
            line.stylize(palette.title, start, end)
        styled.append(line)
    inner = width - 3
    whole = [wrapped(text, inner, room, chart_style) for text in styled]
    half = room // 2
    rows = [half, room - half]
    for one, other in ((0, 1), (1, 0)):
        if len(whole[one]) < rows[one]:
            rows[other] += rows[one] - len(whole[one])
            rows[one] = len(whole[one])
    sides = []
    for name, text, allowed in zip("AB", styled, rows, strict=True):
        lines = wrapped(text, inner, allowed, chart_style)
        sides.append(
            [
                Text.assemble((f"{name if not number else ' '}  ", palette.title), line)
                for number, line in enumerate(lines)
            ]
        )
    return sides[0], sides[1]


def _legend(card: PairCard, width: int, height: int, chart_style: ChartStyle) -> list[Text]:
    if height >= MIN_LEGEND_ROWS:
        lines = [_answer(answer, chart_style, in_full=True) for answer in reversed(card.grades)]
        for line in lines:
            line.truncate(width)
        flow, _ = flowed([_answer(o, chart_style) for o in card.others], width, 2)
        return [*lines, *flow]
    parts = [_answer(answer, chart_style) for answer in card.grades]
    flow = min((flowed(parts, width, 2, gap=gap)[0] for gap in (2, 1)), key=len)
    more, _ = flowed([_answer(o, chart_style) for o in card.others], width, 1)
    return [*flow, *more]


def _answer(answer: AnswerKey, chart_style: ChartStyle, *, in_full: bool = False) -> Text:
    palette, glyphs = chart_style.palette, chart_style.glyphs
    line = Text()
    line.append(glyphs.selected if answer.chosen else "", palette.title)
    line.append(f"{answer.key} ", palette.title)
    line.append(answer.answer, palette.title if answer.chosen else palette.text)
    if in_full and answer.meaning:
        line.append(" " * max(2, 14 - line.cell_len)).append(answer.meaning, palette.dim)
    return line
