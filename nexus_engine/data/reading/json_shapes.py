"""Recognise the shape of a JSON file by its beginning: lines, an array of pairs, or another.

Programs write tables as JSON in many shapes. Those that can be read one pair at a time are read. A
refusal of any other names the shape, with a command that converts it where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from enum import Enum, auto
from typing import Any

from nexus_engine.data.messages import file_error, looks_like_name, row_error
from nexus_engine.data.reading.columns import columns_by_name
from nexus_engine.data.reading.json_rows import RowsPlace, place_of_rows, unread_place
from nexus_engine.data.reading.json_values import LIMITS, JsonLimits, JsonText
from nexus_engine.data.reading.sources import Source
from nexus_engine.errors import DataError

__all__ = ["JsonShape", "shape_of"]


class JsonShape(Enum):
    """The arrangement of the pairs in a file."""

    LINES = auto()
    """A value on each line."""
    ARRAY = auto()
    """One array of objects or arrays."""
    NAMED_ROWS = auto()
    """An object with such an array under `data`, `rows` or `examples`."""
    LONE_ROWS = auto()
    """An object with one array of objects, under another name."""
    APART = auto()
    """Objects one after another, each over several lines."""


RETRIEVAL_KEYS = ("queries", "corpus", "relevant_docs")
RETRIEVAL = (
    "queries, corpus and relevant_docs of a retrieval set (as LlamaIndex writes it), which is not "
    'read; write a line for each pair: {"sentence1": ..., "sentence2": ..., "score": ...}'
)


def shape_of(
    source: Source, limits: JsonLimits = LIMITS, given: Mapping[str, str] | None = None
) -> JsonShape:
    """The shape of the JSON in `source`; `given` names columns by their roles.

    Raises DataError for a shape that is not supported. Text that is not JSON counts as lines, whose
    reader refuses it.
    """
    with closing(JsonText(source, limits)) as text:
        try:
            head = text.peek()
        except DataError:
            return JsonShape.LINES
        if head == "[":
            text.take("[")
            return _array_shape(text, source.label)
        if head != "{":
            return JsonShape.LINES
        first_line = text.line
        try:
            value = text.value()
        except DataError as error:
            return _unread_shape(source, limits, error)
        over_lines = text.line > first_line
        if given and set(given.values()) <= set(value):
            return JsonShape.APART if over_lines else JsonShape.LINES
        try:
            is_whole = not text.peek()
        except DataError:  # the reader refuses what follows
            is_whole = False
        return _object_shape(source, value, over_lines=over_lines, is_whole=is_whole)


def _array_shape(text: JsonText, label: str) -> JsonShape:
    head = text.peek()
    if head == "]":
        raise file_error(label, "is an empty array; give a file with pairs of sentences")
    return JsonShape.ARRAY if head in ("{", "[") else JsonShape.LINES


def _object_shape(
    source: Source, value: dict[str, Any], *, over_lines: bool, is_whole: bool
) -> JsonShape:
    names = list(value)
    label = source.label
    if set(RETRIEVAL_KEYS) <= set(names):
        raise row_error(label, 1, RETRIEVAL)
    if "columns" in names and isinstance(value.get("data"), list):
        raise row_error(label, 1, _by_pandas("columns and data apart", "split"))
    if _are_pairs(names):
        if all(isinstance(cells, dict | list) for cells in value.values()):
            raise row_error(label, 1, _by_pandas("each column in one piece", "columns"))
        return JsonShape.APART if over_lines else JsonShape.LINES
    place = place_of_rows(value, is_whole=is_whole)
    if place is RowsPlace.NAMED:
        return JsonShape.NAMED_ROWS
    rows = [inner for inner in value.values() if isinstance(inner, dict)]
    if rows and len(rows) == len(names) and _are_pairs(list(rows[0])):
        raise row_error(label, 1, _by_pandas("each row under its number", "index"))
    if place is RowsPlace.ALONE:
        return JsonShape.LONE_ROWS
    for name, inner in value.items() if is_whole else ():
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            is_plain = name.isidentifier() and name.isascii()
            program = f".{name}[]" if is_plain else ".[] | arrays | .[]"
            array = f"the array {name}" if looks_like_name(name) else "an array"
            reason = f"a JSON object with rows in {array} and in others; write one object per line"
            raise row_error(label, 1, f"{reason}: jq -c '{program}' FILE > NEW.jsonl")
    return JsonShape.APART if over_lines else JsonShape.LINES


def _unread_shape(source: Source, limits: JsonLimits, error: DataError) -> JsonShape:
    """The shape of a file whose first object, maybe the whole file, failed to be read."""
    place = unread_place(source, limits)
    if place is RowsPlace.NAMED:
        return JsonShape.NAMED_ROWS
    with closing(JsonText(source, limits)) as text:
        text.take("{")
        first_line = text.line
        if text.peek() != '"':
            return JsonShape.LINES
        over_lines = text.line > first_line
        try:
            name = text.value()
            value_head = text.peek() if text.take(":") else ""
        except DataError:
            return JsonShape.LINES
    if name in RETRIEVAL_KEYS and value_head == "{":
        raise row_error(source.label, 1, RETRIEVAL)
    if name == "columns" and value_head == "[":
        raise row_error(source.label, 1, _by_pandas("columns and data apart", "split"))
    if value_head in ("{", "[") and _is_column(name):
        raise row_error(source.label, 1, _by_pandas("each column in one piece", "columns"))
    if place is RowsPlace.ALONE:
        return JsonShape.LONE_ROWS
    if over_lines:
        raise error
    return JsonShape.LINES


def _are_pairs(names: list[str]) -> bool:
    """Whether fields with these names hold a pair of sentences."""
    try:
        return columns_by_name("", names, score_needed=False) is not None
    except DataError:  # a name occurs twice, which the reader of the columns refuses
        return True


def _is_column(name: str) -> bool:
    return any(_are_pairs([name, other]) for other in OTHER_SENTENCES)


OTHER_SENTENCES = (
    *("sentence1", "sentence2", "sentence_a", "sentence_b", "text1", "text2", "premise"),
    *("hypothesis", "question1", "question2", "query", "document", "anchor", "positive"),
)


def _by_pandas(layout: str, orient: str) -> str:
    """The refusal of a table written by pandas, with a command that converts it to lines."""
    return (
        f"one JSON object with {layout}, as pandas writes it; write one object per line: "
        f"python -c \"import pandas; pandas.read_json('FILE', orient='{orient}', dtype=False)"
        ".to_json('NEW.jsonl', orient='records', lines=True)\""
    )
