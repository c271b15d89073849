"""Any file of named fields as records, one at a time: CSV, TSV, JSON, Parquet, Arrow, labels.

A record is a row number and a mapping from field names to values: text, a list, a number or
nothing. What the values mean is for the caller.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import Any

import pyarrow as pa

from nexus_engine.data.messages import file_error, row_error, shown_names
from nexus_engine.data.reading.arrow_files import arrow_batches, parquet_batches
from nexus_engine.data.reading.batches import MAX_CELL_BYTES
from nexus_engine.data.reading.formats import FileKind
from nexus_engine.data.reading.json_rows import RowsPlace, place_of_rows, rows_of, rows_place
from nexus_engine.data.reading.json_values import (
    JsonText,
    LineValue,
    RepeatedKeyError,
    array_values,
    decoded,
    lone_values,
)
from nexus_engine.data.reading.label_rows import label_records
from nexus_engine.data.reading.skipping import BadRowError, Fault
from nexus_engine.data.reading.sources import Source
from nexus_engine.data.reading.text_lines import text_lines
from nexus_engine.errors import DataError

__all__ = ["Record", "read_records", "separator_of"]

Record = tuple[int, Mapping[str, Any]]
"""The row in the file, from 1, and its fields by name."""

ROWS_PER_BATCH = 1024
SEPARATORS = (",", ";", "\t", "|")


def read_records(
    source: Source, kind: FileKind, skip: Callable[[DataError], None] | None = None
) -> Iterator[Record]:
    """The records of `source`, read while they are consumed; the names stand in its first row.

    Raises DataError with the row for what is damaged or of another form. A row of another width and
    a value that is no object are handed to `skip`, if it is given, and left out.
    """
    match kind:
        case FileKind.CSV:
            return _delimited(source, separator_of(source), skip or _refuse)
        case FileKind.TSV:
            return _delimited(source, "\t", skip or _refuse)
        case FileKind.JSONL:
            return _objects(source, _json(source), skip or _refuse)
        case FileKind.PARQUET:
            return _table_records(source, parquet_batches(source, None, ROWS_PER_BATCH))
        case FileKind.LABELS:
            return label_records(source)
        case FileKind.ARROW:
            return _table_records(source, arrow_batches(source, None, ROWS_PER_BATCH))


def _refuse(error: DataError) -> None:
    raise error


def separator_of(source: Source) -> str:
    """What separates the cells of the first line that is not blank; a comma where none does."""
    with closing(text_lines(source)) as lines:
        head = next((line for line in lines if not line.isspace()), "")
    counts = [sum(1 for _ in _outside_quotes(head, each)) for each in SEPARATORS]
    return SEPARATORS[counts.index(max(counts))]


def _outside_quotes(line: str, separator: str) -> Iterator[int]:
    quoted = False
    for place, character in enumerate(line):
        if character == '"':
            quoted = not quoted
        elif character == separator and not quoted:
            yield place


def _delimited(
    source: Source, separator: str, skip: Callable[[DataError], None]
) -> Iterator[Record]:
    csv.field_size_limit(MAX_CELL_BYTES)
    reader = csv.reader(text_lines(source), delimiter=separator, strict=True)
    names: list[str] = []
    row = 1
    try:
        for cells in reader:
            begun, row = row, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = [cell.strip() for cell in cells]
                continue
            if len(cells) != len(names):
                reason = f"{len(cells)} columns where the header has {len(names)}"
                advice = 'quote the cells that hold a separator ("like, this"), or fill the row'
                skip(BadRowError(source.label, begun, f"{reason}; {advice}", Fault.SHAPE))
                continue
            yield begun, dict(zip(names, cells, strict=True))
    except csv.Error as error:
        if "field limit" in str(error):
            reason = "a cell is longer than 1 MB, or a quote is never closed; correct it"
        else:
            reason = 'a quote is not closed where its cell ends; double a quote that is text ("")'
        raise row_error(source.label, row, reason) from None


def _json(source: Source) -> Iterator[LineValue]:
    """The values of a JSON text with their rows: by line, or by place in an array."""
    with closing(JsonText(source)) as text:
        if text.peek() == "[":
            yield from _by_place(array_values(text))
            return
    if _is_by_line(source):
        yield from _json_lines(source)
        return
    place = rows_place(source)
    with closing(JsonText(source)) as text:
        if place is RowsPlace.NOWHERE:
            yield from lone_values(text)
        else:
            yield from _by_place(rows_of(text, place))


def _by_place(values: Iterable[LineValue]) -> Iterator[LineValue]:
    for place, (_, value) in enumerate(values, start=1):
        yield place, value


def _is_by_line(source: Source) -> bool:
    """Whether the first line is a whole JSON value without rows of its own."""
    with closing(text_lines(source)) as lines:
        head = next((line for line in lines if not line.isspace()), "")
        try:
            value = decoded(head)
        except (ValueError, RecursionError):
            return False
        is_whole = all(line.isspace() for line in islice(lines, 2))
    return not isinstance(value, dict) or (
        place_of_rows(value, is_whole=is_whole) is RowsPlace.NOWHERE
    )


def _json_lines(source: Source) -> Iterator[LineValue]:
    for row, line in enumerate(text_lines(source), start=1):
        if line.isspace():
            continue
        try:
            value = decoded(line)
        except RecursionError:
            raise row_error(source.label, row, "the JSON is nested too deeply") from None
        except RepeatedKeyError:
            reason = "a field is named twice in the object; rename or remove one"
            raise row_error(source.label, row, reason) from None
        except json.JSONDecodeError as error:
            reason = f"not JSON at character {error.pos + 1}; write one object a line"
            raise row_error(source.label, row, reason) from None
        except ValueError:
            raise row_error(source.label, row, "a number is too long to read") from None
        yield row, value


def _objects(
    source: Source, values: Iterable[LineValue], skip: Callable[[DataError], None]
) -> Iterator[Record]:
    for row, value in values:
        if isinstance(value, dict):
            yield row, value
        else:
            reason = "not a JSON object with named fields; write it as one"
            skip(BadRowError(source.label, row, reason, Fault.SHAPE))


def _table_records(source: Source, batches: Iterator[pa.RecordBatch]) -> Iterator[Record]:
    row = 0
    try:
        for batch in batches:
            for values in batch.to_pylist():
                row += 1
                yield row, values
    except DataError:
        raise
    except (pa.ArrowException, OSError, ValueError):
        reason = "is damaged or cut off; copy or download the file again"
        raise file_error(source.label, reason) from None
    if not row:
        raise file_error(source.label, f"holds no rows ({shown_names([]) or 'columns alone'})")
