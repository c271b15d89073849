"""CSV and TSV, read strictly: every row has the width of the first, every quote is closed.

The csv module rather than pandas (which `datasets` would use): it knows the row of what is wrong,
and it takes "NA", "null" and "007" for the sentences that they are.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from nexus_engine.data.messages import file_error, row_error
from nexus_engine.data.reading.batches import BATCH_ROWS, CELL_BYTES, RowBatch
from nexus_engine.data.reading.columns import BARE_WIDTH, Columns, columns_by_place
from nexus_engine.data.reading.numbers import is_number
from nexus_engine.data.reading.separators import advice_on_separator
from nexus_engine.data.reading.sources import Source
from nexus_engine.data.reading.spanning import takes_in_rows
from nexus_engine.data.reading.text_lines import text_lines
from nexus_engine.errors import DataError

__all__ = ["Tally", "read_delimited"]

SAMPLE_ROWS = 1000
"""Rows looked at to tell a header from data."""
Record = tuple[int, list[str], int]
"""The line on which a record starts, its cells, and the line on which it ends."""
BEFORE_QUOTE = re.compile(r' +"')
DOUBLED = 'write each quote that is text twice, in a quoted cell ("5"" pipe")'


class QuoteError(DataError):
    """A refusal for quotes that are no quoting. `row` is the line on which the record starts."""

    def __init__(self, label: str, row: int, reason: str) -> None:
        super().__init__(str(row_error(label, row, reason)))
        self.row = row


@dataclass(slots=True)
class Tally:
    """What makes the lines of a delimited file differ from its pairs; filled while it is read."""

    blank: int = 0
    """Blank lines, which are passed over."""
    spanning: int = 0
    """Records that span several lines, because a quoted cell holds a line end."""
    spanned: int = 0
    """The lines of these records."""
    usual: bool = True
    """Whether the first row has no more columns than are read."""
    wide: int = 0
    """Rows with further columns at the right, which are ignored."""
    first_wide: int = 0
    """The line of the first of these."""

    def notes(self) -> list[str]:
        """A line for each that was met."""
        found = []
        if self.blank:
            found.append(f"{_counted(self.blank, 'blank line is', 'blank lines are')} passed over")
        if self.spanning:
            rows = _counted(self.spanning, "row spans", "rows span")
            found.append(f"{rows} {self.spanned:,} lines: a quoted cell holds line ends")
        if self.wide:
            rows = _counted(self.wide, "row has", "rows have")
            than = "the first row" if self.usual else "the others"
            found.append(
                f"{rows} more columns than {than}, from row {self.first_wide} on; what is "
                "beyond them is ignored"
            )
        return found


def _counted(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def read_delimited(
    source: Source, delimiter: str, *, quoted: bool, score_needed: bool
) -> tuple[Columns, Iterator[RowBatch], Tally]:
    """The columns of a delimited file, its rows in batches, read while they are consumed, a tally.

    With `quoted` false a quote is a character like any other.
    Raises DataError with the row, at once for the first rows and later for the others; the first
    row that is wrong is the one that is named.
    """
    tally = Tally()
    records = _records(source, delimiter, tally, quoted=quoted)
    sample: list[Record] = []
    fault: DataError | None = None
    try:
        for record in islice(records, SAMPLE_ROWS):
            sample.append(record)  # noqa: PERF402 - what came before a fault is kept
    except DataError as error:
        if not sample:
            raise _separated(source, delimiter, 1) or error from None
        fault = error
    if not sample:
        raise file_error(source.label, "is empty; give a file with pairs of sentences")
    width = _usual_width(delimiter, [cells for _, cells, _ in sample])
    tally.usual = width == len(sample[0][1])
    named = [(row, cells if tally.usual else cells[:width]) for row, cells, _ in sample]
    columns = _columns(source, named, delimiter, score_needed=score_needed)
    body = sample[1:] if columns.has_header else sample
    if not body and fault is None:
        raise file_error(source.label, "holds a header and no pairs")
    rest = records if fault is None else _fault_alone(fault)
    rows = _Rows(source.label, delimiter, columns, width, tally)
    row, cells, last = sample[0]
    if columns.has_header and last != row:  # here too a quote may have taken rows in
        rows.meet_spanning(row, cells, last)
    return columns, rows.batches(chain(body, rest)), tally


def _usual_width(delimiter: str, rows: list[list[str]]) -> int:
    """The first row's, or that of most rows where a wide table begins with remarks at the right."""
    first = len(rows[0])
    usual = Counter(map(len, rows)).most_common(1)[0][0]
    if delimiter == "\t" and BARE_WIDTH < usual < first and any(map(is_number, rows[0])):
        return usual
    return first


def _columns(
    source: Source, sample: list[tuple[int, list[str]]], delimiter: str, *, score_needed: bool
) -> Columns:
    """The columns; DataError, where another character separates them, with that as the reason."""
    try:
        columns = columns_by_place(source.label, sample, delimiter, score_needed=score_needed)
    except DataError:
        widest = max(len(cells) for _, cells in sample)
        separated = _separated(source, delimiter, widest, sample[0][0])
        if separated is not None:
            raise separated from None
        if _is_apart(sample):
            found = _counted(len(sample[0][1]), "column", "columns")
            reason = f"{found} where the rows below have {widest}: no part of the table; remove it"
            raise row_error(source.label, sample[0][0], reason) from None
        raise
    if delimiter == "," and not columns.has_header:
        separated = _separated(source, delimiter, None, sample[0][0])
        if separated is not None:
            raise separated
    return columns


def _is_apart(sample: list[tuple[int, list[str]]]) -> bool:
    """Whether the first row has fewer columns than all others, which have as many each."""
    first, *others = (len(cells) for _, cells in sample)
    return len(others) > 1 and len(set(others)) == 1 and first < others[0]


def _separated(
    source: Source, delimiter: str, widest: int | None, row: int = 1
) -> DataError | None:
    advice = advice_on_separator(source, delimiter, widest)
    return None if advice is None else row_error(source.label, row, advice)


def _fault_alone(fault: DataError) -> Iterator[Record]:
    """No record, and then the fault that the reading of the first ones met."""
    yield from ()
    raise fault


@dataclass(frozen=True, slots=True)
class _Rows:
    """Records taken apart into columns, and refused where they do not fit."""

    label: str
    delimiter: str
    columns: Columns
    width: int
    tally: Tally

    def batches(self, records: Iterator[Record]) -> Iterator[RowBatch]:
        """The records in batches; those before a fault are handed on, and checked, before it."""
        width = self.width
        first_at, second_at = self.columns.first, self.columns.second
        score_at, split_at = self.columns.score, self.columns.split
        while True:
            first: list[str] = []
            second: list[str] = []
            scores: list[str] = []
            splits: list[str] = []
            rows: list[int] = []
            fault: DataError | None = None
            # Each record is taken apart as it comes: thousands of lists held at once would send
            # Python's cycle collector round and round, for as long as the reading itself takes.
            try:
                for row, cells, last in islice(records, BATCH_ROWS):
                    if last != row:
                        self.meet_spanning(row, cells, last)
                    if len(cells) != width:
                        self._meet_other_width(row, cells)
                    first.append(cells[first_at])
                    second.append(cells[second_at])
                    if score_at is not None:
                        scores.append(cells[score_at])
                    if split_at is not None:
                        splits.append(cells[split_at])
                    rows.append(row)
            except DataError as error:
                fault = error
            if rows:
                yield RowBatch(
                    first,
                    second,
                    None if score_at is None else scores,
                    rows,
                    None if split_at is None else splits,
                )
            if fault is not None:
                raise fault
            if not rows:
                return

    def _meet_other_width(self, row: int, cells: list[str]) -> None:
        """Count a row with more columns where that is harmless; else refuse it."""
        found = len(cells)
        if found < self.width:
            raise self._ragged(row, found, "fill or remove the row")
        # A sentence hardly holds a tab; published tables have remarks at the right of rows.
        remarks = self.delimiter == "\t" and self.width > BARE_WIDTH
        if remarks or not any(cell.strip() for cell in cells[self.width :]):
            self.tally.wide += 1
            self.tally.first_wide = self.tally.first_wide or row
            return
        hint = 'quote the cells that hold a separator ("like, this")'
        if any(BEFORE_QUOTE.match(cell) for cell in cells):
            hint = "remove the spaces between separators and quotes"
        raise self._ragged(row, found, hint)

    def _ragged(self, row: int, found: int, hint: str) -> DataError:
        columns = _counted(found, "column", "columns")
        return row_error(self.label, row, f"{columns} where the first row has {self.width}; {hint}")

    def meet_spanning(self, row: int, cells: list[str], last: int) -> None:
        """Count a row of several lines; refuse one that has taken in other rows.

        There a quote that is text, an inch mark or an opening one without its closing one, has
        taken the rows up to the next quote into one cell.
        """
        self.tally.spanning += 1
        self.tally.spanned += last - row + 1
        found = len(cells)
        if found != self.width:
            reason = f"{found} columns where the first row has {self.width}, and a quote that"
            reason += f" opens in this row closes in row {last}"
            raise QuoteError(self.label, row, f"{reason}; {DOUBLED}, or fill or remove the row")
        if takes_in_rows(cells, self.columns, self.delimiter):
            reason = f"a quote opens a cell that takes in the next {last - row} rows whole"
            raise QuoteError(self.label, row, f"{reason}; close it, or {DOUBLED}")


def _records(source: Source, delimiter: str, tally: Tally, *, quoted: bool) -> Iterator[Record]:
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
            last = reader.line_num
            if len(cells) > 1 or (cells and not cells[0].isspace()):
                yield row, cells, last
            else:  # a blank line
                tally.blank += 1
            row = last + 1
    except csv.Error as error:
        raise _damaged(source.label, row, str(error), reader.line_num) from None


def _damaged(label: str, row: int, message: str, last_line: int) -> DataError:
    """The row that the csv module gave up on. Its message is used to tell the cases apart only."""
    if "field limit" in message and last_line == row:
        return row_error(label, row, "a cell is longer than 1 MB; shorten or remove it")
    if "field limit" in message or "unexpected end" in message:
        return QuoteError(
            label, row, 'a quote is opened and never closed; close it, or double it ("")'
        )
    reason = 'text follows a closing quote; inside a quoted cell, write a quote twice ("")'
    return QuoteError(label, row, reason)
