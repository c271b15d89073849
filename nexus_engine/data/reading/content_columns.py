"""Columns without names in a wide table, told apart by what they hold.

Collections of pairs are published as tab-separated tables of many columns without a header: source,
year, number, score, two sentences. Sentences have several words and differ from row to row; a score
is written with a point, or is the only column of numbers that changes and counts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nexus_engine.data.reading.numbers import is_number

__all__ = ["are_codes", "changes", "holds_numbers", "score_by_content", "sentences_by_content"]

Rows = Sequence[Sequence[str]]

SENTENCE_SHARE = 0.5
"""Of a sentence column's cells, at least so many have several words."""
DISTINCT_SHARE = 0.2
"""Of a sentence column's cells, more than so many differ: names of sources and genres do not."""
LONGER = 2.0
"""Two columns so many times as long as any further one are the sentences, the others remarks."""
FILLED_SHARE = 0.5
"""Of a column of numbers, at least so many cells are not empty."""
WITH_POINT = re.compile(r"\s*-?\d*\.\d+\s*", re.ASCII)
CODE = re.compile(r"\s*0\d+\s*|\s*\d{4,}\s*", re.ASCII)
"""0007 and 2026 are a number of a row and a year, not scores."""


def sentences_by_content(rows: Rows) -> tuple[int, int] | None:
    """The two columns of `rows`, all of one width, that hold sentences; None where in doubt."""
    lengths = {
        place: sum(len(row[place]) for row in rows)
        for place in range(len(rows[0]))
        if sum(" " in row[place].strip() for row in rows) >= SENTENCE_SHARE * len(rows)
        and _distinct(rows, place) > DISTINCT_SHARE * len(rows)
        and changes(rows, place)
    }
    longest = sorted(lengths, key=lambda place: -lengths[place])
    if len(longest) < 2:
        return None
    if len(longest) > 2 and lengths[longest[1]] < LONGER * lengths[longest[2]]:
        return None
    first, second = sorted(longest[:2])
    return first, second


def score_by_content(rows: Rows, sentences: tuple[int, int]) -> int | None:
    """The one column of `rows` that can be the score; None where none can or several can."""
    numeric = [
        place
        for place in range(len(rows[0]))
        if place not in sentences and holds_numbers(rows, place)
    ]
    pointed = [p for p in numeric if any(WITH_POINT.fullmatch(row[p]) for row in rows)]
    if len(pointed) == 1:
        return pointed[0]
    plain = [
        place
        for place in numeric
        if not any(CODE.fullmatch(row[place]) for row in rows)
        and changes(rows, place)
        and _distinct(rows, place) < max(3, len(rows))
    ]
    return plain[0] if len(plain) == 1 else None


def holds_numbers(rows: Rows, place: int) -> bool:
    """Whether a column holds numbers and nothing else, though some cells may be empty."""
    filled = [row[place] for row in rows if row[place].strip()]
    return (
        bool(filled)
        and len(filled) >= FILLED_SHARE * len(rows)
        and all(is_number(cell) for cell in filled)
    )


def changes(rows: Rows, place: int) -> bool:
    """Whether not all cells of a column are equal."""
    return _distinct(rows, place) > 1


def are_codes(rows: Rows, place: int) -> bool:
    """Whether a column holds years or numbers of rows written with zeros before them."""
    return all(CODE.fullmatch(row[place]) for row in rows)


def _distinct(rows: Rows, place: int) -> int:
    return len({row[place] for row in rows})
