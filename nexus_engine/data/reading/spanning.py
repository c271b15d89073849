"""Detect rows that a stray quote has pulled into one cell.

A quoted cell may hold line ends. But a quote that is text, such as an inch mark or an unmatched
opening quote, pulls the rows up to the next quote into one cell, and the record can still have the
right number of columns. Then the lines of the cell are rows by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nexus_engine.data.reading.columns import BARE_WIDTH, Columns
from nexus_engine.data.reading.numbers import is_comma_number, is_number

__all__ = ["swallows_rows"]

LINE_END = re.compile(r"\r\n|\r|\n")


def swallows_rows(cells: Sequence[str], columns: Columns, delimiter: str) -> bool:
    """Whether a cell of this record, which has the right width, holds lines that are rows."""
    tabs = delimiter == "\t"
    for column, cell in enumerate(cells):
        lines = LINE_END.split(cell)
        if len(lines) == 1:
            continue
        flat = [LINE_END.sub(" ", cell) for cell in cells]
        head = [*flat[:column], *lines[0].split(delimiter)]
        tail = [*lines[-1].split(delimiter), *flat[column + 1 :]]
        begins = _is_row(head, len(cells), columns, delimiter)
        ends = _is_row(tail, len(cells), columns, delimiter)
        inner = sum(
            _is_row(line.split(delimiter), len(cells), columns, delimiter) for line in lines[1:-1]
        )
        if columns.score is None and not tabs:
            # With two sentences and no score, a comma in each of two lines does not prove rows.
            swallows = begins + ends + inner == len(lines) > 2
        elif tabs:
            swallows = (begins and ends) or inner > 0
        else:
            # The head of a last cell, and the tail of a first one, form a row with any line.
            rows = inner + (begins and column < len(cells) - 1) + (ends and column > 0)
            swallows = (begins and ends) or rows > max(1, len(lines) // 2)
        if swallows:
            return True
    return False


def _is_row(cells: Sequence[str], width: int, columns: Columns, delimiter: str) -> bool:
    """Whether these can be the cells of a row, which has a score if commas separate them.

    Sentences rarely hold tabs, so a row separated by tabs may lack its score or have extra columns.
    """
    tabs = delimiter == "\t"
    if len(cells) != width and not (tabs and len(cells) > width > BARE_WIDTH):
        return False
    if not cells[columns.first].strip() or not cells[columns.second].strip():
        return False
    if columns.score is None:
        return True
    score = cells[columns.score]
    has_number = is_number(score) or (delimiter != "," and is_comma_number(score))
    return has_number or (tabs and not score.strip())
