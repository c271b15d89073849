"""Which character separates the columns of a text file, judged by its first lines."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from itertools import islice

from nexus_engine.data.reading.numbers import is_comma_number, is_number
from nexus_engine.data.reading.sources import Source
from nexus_engine.data.reading.text_lines import text_lines
from nexus_engine.errors import DataError

__all__ = ["advice_on_separator", "every_line_has_tabs"]

LOOKED_AT = 200
"""Lines."""
SURE_COLUMNS = 3
"""So many columns, one of them of numbers, in `SURE_ROWS` rows are no accident of punctuation."""
SURE_ROWS = 3
MAX_ROWS = 0.9
"""Of the rows, when the separator is also in some sentence."""

ADVICE = {
    ";": "the columns are separated by semicolons; save the file with commas between them, cells "
    "that hold a comma in quotes, and numbers with a point (4.5)",
    "|": "the columns are separated by vertical bars; save the file with commas between them and "
    "cells that hold a comma in quotes",
    "\t": "the columns are separated by tabs; let the file's name end in .tsv",
    ",": "the columns are separated by commas; let the file's name end in .csv",
}


def every_line_has_tabs(source: Source) -> bool:
    """Whether each of the first lines that are not blank holds a tab.

    Raises DataError for what cannot be read as text.
    """
    with closing(text_lines(source)) as lines:
        head = [line for line in islice(lines, LOOKED_AT) if line.strip()]
    return bool(head) and all("\t" in line for line in head)


def advice_on_separator(source: Source, delimiter: str, widest: int | None) -> str | None:
    """What to do where another character than `delimiter` separates the columns; None if not.

    `widest` is the number of columns that the delimiter makes of a file that is to be refused; None
    for one that could be read. That happens where the commas are those of decimal numbers.
    """
    head: list[str] = []
    with suppress(DataError), closing(text_lines(source)) as lines:
        for line in islice(lines, LOOKED_AT):
            head.append(line)  # noqa: PERF402 - what came before a fault is kept
    for separator, advice in ADVICE.items():
        if separator != delimiter and _separates(separator, head, widest):
            return advice
    return None


def _separates(separator: str, lines: Sequence[str], widest: int | None) -> bool:
    try:
        rows = [row for row in csv.reader(lines, delimiter=separator) if row]
    except csv.Error:
        return False
    if not rows:
        return False
    columns, count = Counter(map(len, rows)).most_common(1)[0]
    if columns < 2 or count < MAX_ROWS * len(rows):
        return False
    alike = [row for row in rows if len(row) == columns]
    if widest is not None and columns > widest and count == len(rows):
        return True
    below = list(zip(*alike[1:], strict=True))  # the first row may be a header
    if widest is None:
        return columns >= SURE_COLUMNS and len(rows) >= SURE_ROWS and any(map(_are_commas, below))
    sure = columns > widest or (columns >= SURE_COLUMNS and len(rows) >= SURE_ROWS)
    return sure and any(map(_are_numbers, below))


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(is_number(cell) or is_comma_number(cell) for cell in cells)


def _are_commas(cells: Sequence[str]) -> bool:
    """Whether the cells are numbers, most of them with a comma."""
    return _are_numbers(cells) and 2 * sum(map(is_comma_number, cells)) >= len(cells)
