"""JSON lines: an object with named fields, or an array [sentence, sentence, score], on each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from nexus_engine.data.batches import BATCH_ROWS, RowBatch
from nexus_engine.data.columns import ACCEPTED, Columns, columns_by_name
from nexus_engine.data.messages import file_error, row_error, shown_names
from nexus_engine.data.sources import Source
from nexus_engine.data.text_lines import text_lines

__all__ = ["read_json_lines"]

Score = str | float | None


class _RepeatedKeyError(ValueError):
    """A JSON object names a field twice."""


def read_json_lines(source: Source, *, score_needed: bool) -> tuple[Columns, Iterator[RowBatch]]:
    """The fields of a JSON lines file and its rows in batches, read while they are consumed.

    The first line decides the form and the fields' names for all.
    Raises DataError with the line, at once for the first line and later for the others.
    """
    records = _records(source)
    head = next(records, None)
    if head is None:
        raise file_error(source.label, "is empty; give a file with pairs of sentences")
    row, value = head
    columns = _columns(source.label, row, value, score_needed=score_needed)
    rows = _rows(chain([head], records), columns, source.label, score_needed=score_needed)
    return columns, _batches(rows)


def _columns(
    label: str, row: int, value: dict[str, Any] | list[Any], *, score_needed: bool
) -> Columns:
    if isinstance(value, dict):
        names = list(value)
        columns = columns_by_name(label, names, score_needed=score_needed, row=row)
        if columns is None:
            reason = f"no known fields among {shown_names(names) or 'none'}; {ACCEPTED}"
            raise row_error(label, row, reason)
        return columns
    if len(value) == 2 and not score_needed:
        return Columns(0, 1, None)
    return Columns(0, 1, 2)


def _records(source: Source) -> Iterator[tuple[int, dict[str, Any] | list[Any]]]:
    decode = json.JSONDecoder(object_pairs_hook=_object).decode
    for row, line in enumerate(text_lines(source), start=1):
        if line.isspace():
            continue
        try:
            value = decode(line)
        except RecursionError:
            raise row_error(source.label, row, "the JSON is nested too deeply") from None
        except _RepeatedKeyError:
            reason = "a field is named twice in the object; rename or remove one"
            raise row_error(source.label, row, reason) from None
        except json.JSONDecodeError as error:
            whole = row == 1 and line.strip() in ("[", "{", "[{")
            reason = (
                "one JSON value over many lines; write one object a line: jq -c '.[]' FILE > NEW"
                if whole
                else f"not JSON at character {error.pos + 1}; write one object a line"
            )
            raise row_error(source.label, row, reason) from None
        except ValueError:  # an integer of more digits than Python converts
            raise row_error(source.label, row, "a number is too long to read") from None
        if not isinstance(value, dict | list):
            raise row_error(
                source.label, row, "not a JSON object or array of two sentences and a score"
            )
        yield row, value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _RepeatedKeyError
    return value


def _rows(
    records: Iterator[tuple[int, dict[str, Any] | list[Any]]],
    columns: Columns,
    label: str,
    *,
    score_needed: bool,
) -> Iterator[tuple[int, str, str, Score]]:
    """Each record as (row, first, second, score); DataError for one of another form."""
    form = dict if columns.has_header else list
    for row, value in records:
        if type(value) is not form:
            reason = "an array where the first line is an object, or the other way round"
            raise row_error(label, row, f"{reason}; write all lines alike")
        score: Any = None
        if isinstance(value, dict):
            for name in columns.names if score_needed else columns.names[:2]:
                if name not in value:
                    raise row_error(label, row, f"the field {shown_names([name])} is missing")
            first, second = value[columns.names[0]], value[columns.names[1]]
            if columns.score is not None:
                score = value.get(columns.names[2])
        else:
            if not 2 <= len(value) <= 3 or (len(value) == 2 and columns.score is not None):
                wanted = 2 if columns.score is None else 3
                raise row_error(
                    label, row, f"an array of {len(value)} values where {wanted} are expected"
                )
            first, second = value[0], value[1]
            score = value[2] if len(value) == 3 else None
        for which, sentence in (("first", first), ("second", second)):
            if not isinstance(sentence, str):
                reason = "empty" if sentence is None else "not a JSON string"
                raise row_error(label, row, f"the {which} sentence is {reason}")
        yield row, first, second, _score(score)


def _score(value: object) -> Score:
    """`value` as a number or text to be read as one; other kinds become text that is no number."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "not a number"
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _batches(rows: Iterator[tuple[int, str, str, Score]]) -> Iterator[RowBatch]:
    while chunk := list(islice(rows, BATCH_ROWS)):
        numbers, first, second, scores = zip(*chunk, strict=True)
        yield RowBatch(first, second, scores, numbers)
