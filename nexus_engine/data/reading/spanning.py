"""Records of several lines: cells that hold line ends, or rows that a quote has taken into one.

A quoted cell may hold line ends. But where a quote is text, an inch mark or an opening one without
its closing one, it takes the rows up to the next quote into one cell, and the record can still have
the right number of columns. Then its lines are rows by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nexus_engine.data.reading.columns import BARE_WIDTH, Columns
from nexus_engine.data.reading.numbers import is_number

__all__ = ["takes_in_rows"]

LINE_END = re.compile(r"\r\n|\r|\n")


def takes_in_rows(cells: Sequence[str], columns: Columns, delimiter: str) -> bool:
    """Whether a cell of this record, which has the right width, takes in lines that are rows."""
    tabs = delimiter == "\t"
    for place, cell in enumerate(cells):
        lines = LINE_END.split(cell)
        if len(lines) == 1:
            continue
        beside = [LINE_END.sub(" ", other) for other in cells]
        head = [*beside[:place], *lines[0].split(delimiter)]
        tail = [*lines[-1].split(delimiter), *beside[place + 1 :]]
        begins = _is_row(head, len(cells), columns, tabs=tabs)
        ends = _is_row(tail, len(cells), columns, tabs=tabs)
        inner = sum(
            _is_row(line.split(delimiter), len(cells), columns, tabs=tabs) for line in lines[1:-1]
        )
        if columns.score is None and not tabs:
            # Two sentences and no score: a comma in each line is no sign of rows, unless in many.
            taken = begins + ends + inner == len(lines) > 2
        elif tabs:
            taken = (begins and ends) or inner > 0
        else:
            # What stands before a last cell, or behind a first one, makes a row with any line.
            sure = inner + (begins and place < len(cells) - 1) + (ends and place > 0)
            taken = (begins and ends) or sure > max(1, len(lines) // 2)
        if taken:
            return True
    return False


def _is_row(cells: Sequence[str], width: int, columns: Columns, *, tabs: bool) -> bool:
    """Whether these can be the cells of a row, with a score where commas separate them.

    A sentence hardly holds tabs, so that a row of them may lack its score, or have more columns.
    """
    if len(cells) != width and not (tabs and len(cells) > width > BARE_WIDTH):
        return False
    if not cells[columns.first].strip() or not cells[columns.second].strip():
        return False
    if columns.score is None:
        return True
    score = cells[columns.score]
    return is_number(score) or (tabs and not score.strip())
