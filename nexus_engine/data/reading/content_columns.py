"""Find the sentences and the score in a wide table without a header, by what its columns hold.

Some sets of pairs are published as tab-separated tables of many columns without a header: source,
year, number, score, two sentences. Sentences have several words and differ from row to row. A score
is written with a point, or is in the only column of numbers that varies and numbers no rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nexus_engine.data.reading.numbers import is_number

__all__ = ["are_codes", "holds_numbers", "score_by_content", "sentences_by_content", "varies"]

Rows = Sequence[Sequence[str]]

MIN_SENTENCE_SHARE = 0.5
"""At least this share of the cells in a sentence column have several words."""
MIN_DISTINCT_SHARE = 0.2
"""More than this share of them are distinct, unlike the names of sources and genres."""
MIN_LENGTH_RATIO = 2.0
"""Two columns this many times as long as any other hold the sentences; the others hold remarks."""
MIN_FILLED_SHARE = 0.5
"""At least this share of the cells in a column of numbers are not empty."""
WITH_POINT = re.compile(r"\s*-?\d*\.\d+\s*", re.ASCII)
CODE = re.compile(r"\s*0\d+\s*|\s*\d{4,}\s*", re.ASCII)
"""Matches row numbers such as 0007 and years such as 2026, which are not scores."""


def sentences_by_content(rows: Rows) -> tuple[int, int] | None:
    """The two columns of sentences in `rows`, which have one width; None if in doubt."""
    lengths = {
        column: sum(len(row[column]) for row in rows)
        for column in range(len(rows[0]))
        if sum(" " in row[column].strip() for row in rows) >= MIN_SENTENCE_SHARE * len(rows)
        and _distinct(rows, column) > MIN_DISTINCT_SHARE * len(rows)
        and varies(rows, column)
    }
    longest = sorted(lengths, key=lambda column: -lengths[column])
    if len(longest) < 2:
        return None
    if len(longest) > 2 and lengths[longest[1]] < MIN_LENGTH_RATIO * lengths[longest[2]]:
        return None
    first, second = sorted(longest[:2])
    return first, second


def score_by_content(rows: Rows, sentences: tuple[int, int]) -> int | None:
    """The one column of `rows` that can be the score; None if none or several can."""
    numeric = [
        column
        for column in range(len(rows[0]))
        if column not in sentences and holds_numbers(rows, column)
    ]
    pointed = [p for p in numeric if any(WITH_POINT.fullmatch(row[p]) for row in rows)]
    if len(pointed) == 1:
        return pointed[0]
    plain = [
        column
        for column in numeric
        if not any(CODE.fullmatch(row[column]) for row in rows)
        and varies(rows, column)
        and _distinct(rows, column) < max(3, len(rows))
    ]
    return plain[0] if len(plain) == 1 else None


def holds_numbers(rows: Rows, column: int) -> bool:
    """Whether all cells of a column that are not empty are numbers, and enough are not."""
    filled = [row[column] for row in rows if row[column].strip()]
    return (
        bool(filled)
        and len(filled) >= MIN_FILLED_SHARE * len(rows)
        and all(is_number(cell) for cell in filled)
    )


def varies(rows: Rows, column: int) -> bool:
    """Whether the cells of a column are not all equal."""
    return _distinct(rows, column) > 1


def are_codes(rows: Rows, column: int) -> bool:
    """Whether all cells of a column are years or row numbers with leading zeros."""
    return all(CODE.fullmatch(row[column]) for row in rows)


def _distinct(rows: Rows, column: int) -> int:
    return len({row[column] for row in rows})
