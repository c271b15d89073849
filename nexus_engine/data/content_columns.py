"""Columns without names in a wide table, told apart by what they hold.

Collections of pairs are published as tab-separated tables of many columns without a header: source,
year, number, score, two sentences. Sentences have several words; a score is written with a point,
or is the only column of numbers that changes and counts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nexus_engine.data.numbers import is_number

__all__ = ["score_by_content", "sentences_by_content"]

SENTENCE_SHARE = 0.5
"""Of a sentence column's cells, at least so many have several words."""
WITH_POINT = re.compile(r"\s*-?\d*\.\d+\s*", re.ASCII)
CODE = re.compile(r"\s*0\d+\s*|\s*\d{4,}\s*", re.ASCII)
"""0007 and 2026 are a number of a row and a year, not scores."""


def sentences_by_content(rows: Sequence[Sequence[str]]) -> tuple[int, int] | None:
    """The two columns of `rows`, all of one width, that hold sentences; None unless just two do."""
    places = [
        place
        for place in range(len(rows[0]))
        if sum(" " in row[place].strip() for row in rows) >= SENTENCE_SHARE * len(rows)
    ]
    return (places[0], places[1]) if len(places) == 2 else None


def score_by_content(rows: Sequence[Sequence[str]], sentences: tuple[int, int]) -> int | None:
    """The one column of `rows` that can be the score; None where none can or several can."""
    numeric = [
        place
        for place in range(len(rows[0]))
        if place not in sentences and all(is_number(row[place]) for row in rows)
    ]
    pointed = [p for p in numeric if any(WITH_POINT.fullmatch(row[p]) for row in rows)]
    if len(pointed) == 1:
        return pointed[0]
    plain = [
        place
        for place in numeric
        if not any(CODE.fullmatch(row[place]) for row in rows)
        and 1 < len({row[place] for row in rows}) < max(3, len(rows))
    ]
    return plain[0] if len(plain) == 1 else None
