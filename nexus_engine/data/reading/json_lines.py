"""Read JSON with an object of named fields, or an array [sentence, sentence, score], for each pair.

The values stand one on each line, all in one array, or one after another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import chain, islice
from typing import Any

from nexus_engine.data.messages import file_error, row_error, shown_names
from nexus_engine.data.reading.batches import BATCH_ROWS, RowBatch
from nexus_engine.data.reading.columns import ACCEPTED, Columns, columns_by_name
from nexus_engine.data.reading.json_rows import RowsPlace, rows_of
from nexus_engine.data.reading.json_shapes import JsonShape, shape_of
from nexus_engine.data.reading.json_values import (
    LIMITS,
    JsonLimits,
    JsonText,
    LineValue,
    RepeatedKeyError,
    array_values,
    decoded,
    lone_values,
)
from nexus_engine.data.reading.skipping import BadRowError, Fault, Skipped
from nexus_engine.data.reading.sources import Source
from nexus_engine.data.reading.text_lines import text_lines

__all__ = ["read_json_lines"]

Score = str | float | None
Row = tuple[int, str, str, Score, str]
"""The row number, two sentences, the score, and the word that names the split."""
Record = tuple[int, dict[str, Any] | list[Any]]
"""The row number of a pair, and its JSON value."""


def read_json_lines(
    source: Source,
    *,
    score_needed: bool,
    limits: JsonLimits = LIMITS,
    given: Mapping[str, str] | None = None,
    skipped: Skipped | None = None,
) -> tuple[Columns, Iterator[RowBatch]]:
    """The fields of a JSON file, and its rows in batches that are read as they are consumed.

    The first object or array sets the form and the names of the fields for all. Rows are numbered
    by line or, in an array on a single line, by value, from 1. `given` names columns by their
    roles. Rows that lack a field or a sentence are left out and counted if `skipped` is given.
    Raises DataError with the row: at once for the first row and for a file of another shape, else
    from the iterator.
    """
    shape = shape_of(source, limits, given)
    records = _lines(source) if shape is JsonShape.LINES else _values(source, shape, limits)
    head = next(records, None)
    if head is None:
        raise file_error(source.label, "is empty; give a file with pairs of sentences")
    row, value = head
    columns = _columns(source.label, row, value, score_needed=score_needed, given=given)
    rows = _rows(
        chain([head], records), columns, source.label, score_needed=score_needed, skipped=skipped
    )
    return columns, _batches(rows, columns)


def _columns(
    label: str,
    row: int,
    value: dict[str, Any] | list[Any],
    *,
    score_needed: bool,
    given: Mapping[str, str] | None,
) -> Columns:
    if isinstance(value, dict):
        names = list(value)
        columns = columns_by_name(label, names, score_needed=score_needed, row=row, given=given)
        if columns is None:
            reason = f"no known fields among {shown_names(names) or 'none'}; {ACCEPTED}"
            raise row_error(label, row, reason)
        return columns
    if given:
        reason = "arrays have no column names; write objects with named fields"
        raise row_error(label, row, reason)
    if len(value) == 2 and not score_needed:
        return Columns(0, 1, None)
    return Columns(0, 1, 2)


def _lines(source: Source) -> Iterator[Record]:
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
            reason = f"not JSON at character {error.pos + 1}; write one object per line"
            raise row_error(source.label, row, reason) from None
        except ValueError:  # an integer with more digits than Python converts
            raise row_error(source.label, row, "a number is too long to read") from None
        yield _record(source.label, row, value)


def _values(source: Source, shape: JsonShape, limits: JsonLimits) -> Iterator[Record]:
    with closing(JsonText(source, limits)) as text:
        values: Iterator[LineValue]
        match shape:
            case JsonShape.APART:
                values = lone_values(text)
            case JsonShape.NAMED_ROWS:
                values = rows_of(text, RowsPlace.NAMED)
            case JsonShape.LONE_ROWS:
                values = rows_of(text, RowsPlace.ALONE)
            case _:
                values = array_values(text)
        first_line, by_line = 0, True
        for number, (line, value) in enumerate(values, start=1):
            if number == 1:
                first_line = line
            elif number == 2:
                by_line = line > first_line
            yield _record(source.label, line if by_line else number, value)
        if shape is JsonShape.ARRAY and text.peek():
            raise text.refused("text follows the end of the array; remove it")


def _record(label: str, row: int, value: object) -> Record:
    if not isinstance(value, dict | list):
        raise row_error(label, row, "not a JSON object or array of two sentences and a score")
    return row, value


def _rows(
    records: Iterator[Record],
    columns: Columns,
    label: str,
    *,
    score_needed: bool,
    skipped: Skipped | None,
) -> Iterator[Row]:
    """Each record as a row.

    Raises DataError for one of another form than the first, and BadRowError for one that lacks a
    field or a sentence, unless it is to be skipped.
    """
    names = columns.names if score_needed else columns.names[:2]
    score_name = columns.names[2] if len(columns.names) > 2 else ""
    for row, value in records:
        if names and isinstance(value, dict) and all(map(value.__contains__, names)):
            first, second = value[names[0]], value[names[1]]
            if isinstance(first, str) and isinstance(second, str):  # as nearly all do
                score, split = value.get(score_name), value.get(columns.split_name)
                yield row, first, second, _score(score), _word(split)
                continue
        try:
            cells = _cells(value, columns, label, row, score_needed=score_needed)
        except BadRowError as error:
            if skipped is None:
                raise
            skipped.add(error)
            continue
        yield cells


def _cells(
    value: dict[str, Any] | list[Any], columns: Columns, label: str, row: int, *, score_needed: bool
) -> Row:
    if isinstance(value, dict) != columns.has_header:
        reason = "an array where the first row is an object, or the other way round"
        raise row_error(label, row, f"{reason}; write all rows alike")
    score: Any = None
    split: Any = None
    if isinstance(value, dict):
        for name in columns.names if score_needed else columns.names[:2]:
            if name not in value:
                reason = f"the field {shown_names([name])} is missing; fill or remove the row"
                raise BadRowError(label, row, reason, Fault.SHAPE)
        first, second = value[columns.names[0]], value[columns.names[1]]
        if columns.score is not None:
            score = value.get(columns.names[2])
        split = value.get(columns.split_name)
    else:
        if not 2 <= len(value) <= 3 or (len(value) == 2 and columns.score is not None):
            expected = 2 if columns.score is None else 3
            reason = f"an array of {len(value)} values where {expected} are expected"
            raise BadRowError(label, row, f"{reason}; correct or remove the row", Fault.SHAPE)
        first, second = value[0], value[1]
        score = value[2] if len(value) == 3 else None
    for which, sentence in (("first", first), ("second", second)):
        if not isinstance(sentence, str):
            reason = "empty" if sentence is None else "not a JSON string"
            reason = f"the {which} sentence is {reason}; correct or remove the row"
            raise BadRowError(label, row, reason, Fault.SENTENCE)
    return row, first, second, _score(score), _word(split)


def _score(value: object) -> Score:
    """`value` as a number, or as text that is parsed later; other types become text that fails."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "not a number"
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _word(value: object) -> str:
    """The word that names a split; empty for a value that cannot be one."""
    return value if isinstance(value, str) and value.isascii() else ""


def _batches(rows: Iterator[Row], columns: Columns) -> Iterator[RowBatch]:
    while chunk := list(islice(rows, BATCH_ROWS)):
        numbers, first, second, scores, splits = zip(*chunk, strict=True)
        yield RowBatch(first, second, scores, numbers, None if columns.split is None else splits)
