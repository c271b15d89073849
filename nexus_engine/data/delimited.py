"""CSV and TSV, read strictly: every row has the width of the first, every quote is closed.

The csv module rather than pandas (which `datasets` would use): it knows the row of what is wrong,
and it takes "NA", "null" and "007" for the sentences that they are.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain, islice

from nexus_engine.data.batches import BATCH_ROWS, CELL_BYTES, RowBatch
from nexus_engine.data.columns import Columns, columns_by_place
from nexus_engine.data.messages import file_error, row_error
from nexus_engine.data.sources import Source
from nexus_engine.data.text_lines import text_lines
from nexus_engine.errors import DataError

__all__ = ["read_delimited"]

SAMPLE_ROWS = 1000
"""Rows looked at to tell a header from data."""

Record = tuple[int, list[str]]
"""The line on which a record starts, and its cells."""


def read_delimited(
    source: Source, delimiter: str, *, quoted: bool, score_needed: bool
) -> tuple[Columns, Iterator[RowBatch]]:
    """The columns of a delimited file and its rows in batches, read while they are consumed.

    With `quoted` false a quote is a character like any other.
    Raises DataError with the row, at once for the first rows and later for the others.
    """
    records = _records(source, delimiter, quoted=quoted)
    sample = list(islice(records, SAMPLE_ROWS))
    if not sample:
        raise file_error(source.label, "is empty; give a file with pairs of sentences")
    columns = columns_by_place(source.label, sample, score_needed=score_needed)
    body = sample[1:] if columns.has_header else sample
    if not body:
        raise file_error(source.label, "holds a header and no pairs")
    width = len(sample[0][1])
    return columns, _batches(chain(body, records), columns, width, source.label)


def _batches(
    records: Iterator[Record], columns: Columns, width: int, label: str
) -> Iterator[RowBatch]:
    score = columns.score
    while True:
        first: list[str] = []
        second: list[str] = []
        scores: list[str] = []
        rows: list[int] = []
        # Each record is taken apart as it comes: thousands of lists held at once would send
        # Python's cycle collector round and round, for as long as the reading itself takes.
        for row, cells in islice(records, BATCH_ROWS):
            if len(cells) != width:
                raise _ragged(label, row, len(cells), width)
            first.append(cells[columns.first])
            second.append(cells[columns.second])
            if score is not None:
                scores.append(cells[score])
            rows.append(row)
        if not rows:
            return
        yield RowBatch(first, second, None if score is None else scores, rows)


def _records(source: Source, delimiter: str, *, quoted: bool) -> Iterator[Record]:
    # The limit is the process's own and nobody else here reads CSV; without it a quote that is
    # never closed would gather the rest of the file in one cell.
    csv.field_size_limit(CELL_BYTES)
    reader = csv.reader(
        text_lines(source),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    row = 1
    try:
        for cells in reader:
            if cells:  # an empty list is a blank line
                yield row, cells
            row = reader.line_num + 1
    except csv.Error as error:
        raise _damaged(source.label, row, str(error), reader.line_num) from None


def _damaged(label: str, row: int, message: str, last_line: int) -> DataError:
    """The row that the csv module gave up on. Its message is used to tell the cases apart only."""
    if "field limit" in message and last_line == row:
        return row_error(label, row, "a cell is longer than 1 MB; shorten or remove it")
    if "field limit" in message or "unexpected end" in message:
        return row_error(
            label, row, 'a quote is opened and never closed; close it, or double it ("")'
        )
    reason = 'text follows a closing quote; inside a quoted cell, write a quote twice ("")'
    return row_error(label, row, reason)


def _ragged(label: str, row: int, found: int, width: int) -> DataError:
    hint = "quote the cells that hold a separator" if found > width else "fill or remove the row"
    return row_error(label, row, f"{found} columns where the first row has {width}; {hint}")
