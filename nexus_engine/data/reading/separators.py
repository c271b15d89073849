"""Judge from the first lines of a text file which character separates its columns."""

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

__all__ = ["ADVICE", "every_line_has_tabs", "other_separator"]

SAMPLE_LINES = 200
MIN_SURE_COLUMNS = 3
"""This many columns, one of numbers, in MIN_SURE_ROWS rows are no accident of punctuation."""
MIN_SURE_ROWS = 3
MIN_ALIKE_SHARE = 0.9
"""At least this share of the rows have one width; the separator may be in some sentences."""

ADVICE = {
    ";": "the columns are separated by semicolons",
    "|": "the columns are separated by vertical bars",
    "\t": "the columns are separated by tabs; give the file a name that ends in .tsv",
    ",": "the columns are separated by commas; give the file a name that ends in .csv",
}
"""By separator: what a refusal says of a file whose name tells another one."""


def every_line_has_tabs(source: Source) -> bool:
    """Whether each of the first lines, blank ones apart, holds a tab.

    Raises DataError for a file that cannot be read as text.
    """
    with closing(text_lines(source)) as lines:
        head = [line for line in islice(lines, SAMPLE_LINES) if line.strip()]
    return bool(head) and all("\t" in line for line in head)


def other_separator(source: Source, delimiter: str, widest: int | None) -> str | None:
    """The character that separates the columns if it is not `delimiter`, else None.

    `widest` is the number of columns that the delimiter yields in a file that is to be refused. It
    is None for a file that could be read, because its decimal commas were taken for separators.
    """
    head: list[str] = []
    with suppress(DataError), closing(text_lines(source)) as lines:
        for line in islice(lines, SAMPLE_LINES):
            head.append(line)  # noqa: PERF402 - the lines before a fault are kept
    for separator in ADVICE:
        if separator != delimiter and _separates(separator, head, widest):
            return separator
    return None


def _separates(separator: str, lines: Sequence[str], widest: int | None) -> bool:
    try:
        rows = [row for row in csv.reader(lines, delimiter=separator) if row]
    except csv.Error:
        return False
    if not rows:
        return False
    columns, count = Counter(map(len, rows)).most_common(1)[0]
    if columns < 2 or count < MIN_ALIKE_SHARE * len(rows):
        return False
    alike = [row for row in rows if len(row) == columns]
    if widest is not None and columns > widest and count == len(rows):
        return True
    below = list(zip(*alike[1:], strict=True))  # the first row may be a header
    if widest is None:
        return (
            columns >= MIN_SURE_COLUMNS
            and len(rows) >= MIN_SURE_ROWS
            and any(map(_are_commas, below))
        )
    is_sure = columns > widest or (columns >= MIN_SURE_COLUMNS and len(rows) >= MIN_SURE_ROWS)
    return is_sure and any(map(_are_numbers, below))


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(is_number(cell) or is_comma_number(cell) for cell in cells)


def _are_commas(cells: Sequence[str]) -> bool:
    """Whether the cells are numbers, most of them with a comma."""
    return _are_numbers(cells) and 2 * sum(map(is_comma_number, cells)) >= len(cells)
