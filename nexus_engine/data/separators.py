"""Which character separates the columns of a text file, judged by its first lines."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from itertools import islice

from nexus_engine.data.sources import Source
from nexus_engine.data.text_lines import text_lines

__all__ = ["advice_on_separator", "every_line_has_tabs"]

LOOKED_AT = 200
"""Lines."""
SURE_COLUMNS = 3
"""So many columns in each of `SURE_ROWS` rows are no accident of punctuation."""
SURE_ROWS = 3

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


def advice_on_separator(
    records: Sequence[tuple[int, list[str]]], delimiter: str, *, doubted: bool
) -> str | None:
    """What to do where another character than `delimiter` separates the columns; None if not.

    Each of the `records` must then hold that character equally often, and for more columns than the
    delimiter makes. Where nothing else is wrong with the file (`doubted` false), it must do so in
    several rows, for several columns.
    """
    widest = max(len(cells) for _, cells in records[:LOOKED_AT]) if doubted else 0
    lines = [delimiter.join(cells) for _, cells in records[:LOOKED_AT]]
    for separator, advice in ADVICE.items():
        counts = {line.count(separator) for line in lines}
        if separator == delimiter or len(counts) != 1 or counts == {0}:
            continue
        columns = counts.pop() + 1
        if doubted and columns > widest:
            return advice
        if columns >= SURE_COLUMNS and len(lines) >= SURE_ROWS:
            return advice
    return None
