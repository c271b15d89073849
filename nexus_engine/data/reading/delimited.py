"""Read CSV and TSV strictly: every row has the width of the first, and every quote is closed.

The csv module reads them rather than pandas, which `datasets` would use: it knows the row of an
error, and it takes "NA", "null" and "007" for the sentences that they are.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice

from nexus_engine.data.messages import file_error, row_error
from nexus_engine.data.reading.batches import BATCH_ROWS, MAX_CELL_BYTES, RowBatch
from nexus_engine.data.reading.columns import BARE_WIDTH, Columns, columns_by_position
from nexus_engine.data.reading.decimal_commas import DecimalCommas, with_point
from nexus_engine.data.reading.numbers import is_number
from nexus_engine.data.reading.separators import ADVICE, other_separator
from nexus_engine.data.reading.skipping import BadRowError, Fault, Skipped
from nexus_engine.data.reading.sources import Source
from nexus_engine.data.reading.spanning import swallows_rows
from nexus_engine.data.reading.text_lines import text_lines
from nexus_engine.errors import DataError

__all__ = ["SeparatorError", "Tally", "read_delimited"]

SAMPLE_ROWS = 1000
"""Number of rows that tell a header from data."""
Record = tuple[int, list[str], int]
"""The line on which a record starts, its cells, and the line on which it ends."""
BEFORE_QUOTE = re.compile(r' +"')
DOUBLE_QUOTES = 'write each quote that is text twice, in a quoted cell ("5"" pipe")'


class QuoteError(DataError):
    """A refusal for a quote that does not quote a cell; `row` is the first line of the record."""

    def __init__(self, label: str, row: int, reason: str) -> None:
        super().__init__(str(row_error(label, row, reason)))
        self.row = row


class SeparatorError(DataError):
    """A refusal of a file whose columns are separated by `separator`."""

    def __init__(self, label: str, row: int, separator: str) -> None:
        super().__init__(str(row_error(label, row, ADVICE[separator])))
        self.separator = separator


@dataclass(slots=True)
class Tally:
    """Counts why the lines of a delimited file are not all pairs; filled while it is read."""

    blank_lines: int = 0
    """Skipped lines."""
    spanning_rows: int = 0
    """Rows that span several lines, because a quoted cell holds a line end."""
    spanned_lines: int = 0
    """The lines of these rows."""
    first_is_usual: bool = True
    """Whether the first row has the number of columns that is read."""
    wide_rows: int = 0
    """Rows with extra columns at the right, which are ignored."""
    first_wide: int = 0
    """The line of the first of these rows."""
    commas: DecimalCommas = field(default_factory=DecimalCommas)
    """Scores with a decimal comma."""

    def notes(self) -> list[str]:
        """One line for each count that is not 0."""
        notes = []
        if self.blank_lines:
            lines = _counted(self.blank_lines, "blank line is", "blank lines are")
            notes.append(f"{lines} passed over")
        if self.spanning_rows:
            rows = _counted(self.spanning_rows, "row spans", "rows span")
            notes.append(f"{rows} {self.spanned_lines:,} lines: a quoted cell holds line ends")
        if self.wide_rows:
            rows = _counted(self.wide_rows, "row has", "rows have")
            others = "the first row" if self.first_is_usual else "the others"
            notes.append(
                f"{rows} more columns than {others}, from row {self.first_wide} on; the extra "
                "columns are ignored"
            )
        return notes + self.commas.notes()


def _counted(count: int, singular: str, plural: str) -> str:
    return f"{count:,} {singular if count == 1 else plural}"


def read_delimited(
    source: Source,
    delimiter: str,
    *,
    quoted: bool,
    score_needed: bool,
    given: Mapping[str, str] | None = None,
    skipped: Skipped | None = None,
) -> tuple[Columns, Iterator[RowBatch], Tally]:
    """The columns of a delimited file, its rows in batches, and a tally.

    The batches are read, and the tally is filled, as the iterator is consumed. With `quoted` false
    a quote is an ordinary character. `given` names columns by their roles. Rows of another width
    are left out and counted if `skipped` is given.
    Raises DataError with the first row that is wrong: at once if it is among the first rows, else
    from the iterator; SeparatorError if another character separates the columns.
    """
    tally = Tally()
    records = _records(source, delimiter, tally, quoted=quoted)
    sample: list[Record] = []
    fault: DataError | None = None
    try:
        for record in islice(records, SAMPLE_ROWS):
            sample.append(record)  # noqa: PERF402 - the records before a fault are kept
    except DataError as error:
        if not sample:
            raise _separator_error(source, delimiter, 1) or error from None
        fault = error
    if not sample:
        raise file_error(source.label, "is empty; give a file with pairs of sentences")
    width = _usual_width(delimiter, [cells for _, cells, _ in sample])
    usual = tally.first_is_usual = width == len(sample[0][1])
    cut_sample = [(row, cells if usual else cells[:width]) for row, cells, _ in sample]
    if delimiter != ",":
        cut_sample = [(row, [with_point(cell) for cell in cells]) for row, cells in cut_sample]
    columns = _columns(source, cut_sample, delimiter, score_needed=score_needed, given=given)
    body = sample[1:] if columns.has_header else sample
    if not body and fault is None:
        raise file_error(source.label, "has a header and no pairs")
    rest = records if fault is None else _raising(fault)
    rows = _Rows(source.label, delimiter, columns, width, tally, skipped)
    row, cells, last = sample[0]
    if columns.has_header and last != row:  # a quote in the header, too, may swallow rows
        rows.meet_spanning(row, cells, last)
    return columns, rows.batches(chain(body, rest)), tally


def _usual_width(delimiter: str, rows: list[list[str]]) -> int:
    """The width of the first row, or of most rows if the first of a wide table has remarks."""
    first = len(rows[0])
    usual = Counter(map(len, rows)).most_common(1)[0][0]
    if delimiter == "\t" and BARE_WIDTH < usual < first and any(map(is_number, rows[0])):
        return usual
    return first


def _columns(
    source: Source,
    sample: list[tuple[int, list[str]]],
    delimiter: str,
    *,
    score_needed: bool,
    given: Mapping[str, str] | None,
) -> Columns:
    """The columns. Raises DataError, with the true separator if it is another character."""
    try:
        columns = columns_by_position(
            source.label, sample, delimiter, score_needed=score_needed, given=given
        )
    except DataError:
        widest = max(len(cells) for _, cells in sample)
        separator_error = _separator_error(source, delimiter, widest, sample[0][0])
        if separator_error is not None:
            raise separator_error from None
        if _is_apart(sample):
            count = _counted(len(sample[0][1]), "column", "columns")
            reason = f"{count} where the rows below have {widest}: not part of the table; remove it"
            raise row_error(source.label, sample[0][0], reason) from None
        raise
    if delimiter == "," and not columns.has_header:
        separator_error = _separator_error(source, delimiter, None, sample[0][0])
        if separator_error is not None:
            raise separator_error
    return columns


def _is_apart(sample: list[tuple[int, list[str]]]) -> bool:
    """Whether the first row has fewer columns than the others, which all have the same number."""
    first, *others = (len(cells) for _, cells in sample)
    return len(others) > 1 and len(set(others)) == 1 and first < others[0]


def _separator_error(
    source: Source, delimiter: str, widest: int | None, row: int = 1
) -> DataError | None:
    separator = other_separator(source, delimiter, widest)
    return None if separator is None else SeparatorError(source.label, row, separator)


def _raising(fault: DataError) -> Iterator[Record]:
    """Yield no record, and raise the fault that was met after the sample."""
    yield from ()
    raise fault


@dataclass(frozen=True, slots=True)
class _Rows:
    """Splits records into columns, and refuses those that do not fit."""

    label: str
    delimiter: str
    columns: Columns
    width: int
    tally: Tally
    skipped: Skipped | None

    def batches(self, records: Iterator[Record]) -> Iterator[RowBatch]:
        """The records in batches; those before a fault are yielded, and so checked, first."""
        width = self.width
        first_column, second_column = self.columns.first, self.columns.second
        score_column, split_column = self.columns.score, self.columns.split
        while True:
            first: list[str] = []
            second: list[str] = []
            scores: list[str] = []
            splits: list[str] = []
            rows: list[int] = []
            fault: DataError | None = None
            row = 0
            # Each record is split as it comes. Holding thousands of lists would make Python's
            # cycle collector run for as long as the reading itself.
            try:
                for row, cells, last in islice(records, BATCH_ROWS):
                    if last != row:
                        self.meet_spanning(row, cells, last)
                    if len(cells) != width and not self._has_room(row, cells):
                        continue
                    first.append(cells[first_column])
                    second.append(cells[second_column])
                    if score_column is not None:
                        scores.append(cells[score_column])
                    if split_column is not None:
                        splits.append(cells[split_column])
                    rows.append(row)
            except DataError as error:
                fault = error
            if rows:
                if self.delimiter != ",":
                    scores = self.tally.commas.with_points(self.label, scores, rows)
                yield RowBatch(
                    first,
                    second,
                    None if score_column is None else scores,
                    rows,
                    None if split_column is None else splits,
                )
            if fault is not None:
                raise fault
            if not row:
                return

    def _has_room(self, row: int, cells: list[str]) -> bool:
        """Count a row whose extra columns are harmless; refuse any other, or count it as left out.

        False for a row that is left out.
        """
        # Sentences rarely hold tabs, and published tables have remarks at the right of rows.
        remarks = self.delimiter == "\t" and self.width > BARE_WIDTH
        is_short = len(cells) < self.width
        if not is_short and (remarks or not any(cell.strip() for cell in cells[self.width :])):
            self.tally.wide_rows += 1
            self.tally.first_wide = self.tally.first_wide or row
            return True
        advice = 'quote the cells that hold a separator ("like, this")'
        if is_short:
            advice = "fill or remove the row"
        elif any(BEFORE_QUOTE.match(cell) for cell in cells):
            advice = "remove the spaces between separators and quotes"
        width = _counted(len(cells), "column", "columns")
        reason = f"{width} where the first row has {self.width}; {advice}"
        error = BadRowError(self.label, row, reason, Fault.SHAPE)
        if self.skipped is None:
            raise error
        self.skipped.add(error)
        return False

    def meet_spanning(self, row: int, cells: list[str], last: int) -> None:
        """Count a row of several lines; refuse one that has swallowed other rows.

        A quote that is text, such as an inch mark or an unmatched opening quote, pulls the rows up
        to the next quote into one cell.
        """
        self.tally.spanning_rows += 1
        self.tally.spanned_lines += last - row + 1
        if len(cells) != self.width:
            reason = f"{len(cells)} columns where the first row has {self.width}, and a quote that"
            reason += f" opens in this row closes in row {last}"
            advice = f"{DOUBLE_QUOTES}, or fill or remove the row"
            raise QuoteError(self.label, row, f"{reason}; {advice}")
        if swallows_rows(cells, self.columns, self.delimiter):
            reason = f"a quote opens a cell that takes in the next {last - row} rows whole"
            raise QuoteError(self.label, row, f"{reason}; close it, or {DOUBLE_QUOTES}")


def _records(source: Source, delimiter: str, tally: Tally, *, quoted: bool) -> Iterator[Record]:
    # Without a limit, an unclosed quote would gather the rest of the file in one cell. The limit
    # holds for the whole process, in which nothing else reads long cells of CSV.
    csv.field_size_limit(MAX_CELL_BYTES)
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
                tally.blank_lines += 1
            row = last + 1
    except csv.Error as error:
        raise _damaged(source.label, row, str(error), reader.line_num) from None


def _damaged(label: str, row: int, message: str, last_line: int) -> DataError:
    """The refusal of the row that the csv module gave up on; its message tells the cases apart."""
    if "field limit" in message and last_line == row:
        return row_error(label, row, "a cell is longer than 1 MB; shorten or remove it")
    if "field limit" in message or "unexpected end" in message:
        return QuoteError(
            label, row, 'a quote is opened and never closed; close it, or double it ("")'
        )
    reason = 'text follows a closing quote; inside a quoted cell, write a quote twice ("")'
    return QuoteError(label, row, reason)
