"""What a JSON file holds, by its beginning: lines, an array of pairs, or what is not read.

Programs write tables as JSON in many shapes. Those that can be read a pair at a time are; the
others are named for what they are, with a command that makes them readable.
"""

from __future__ import annotations

from contextlib import closing
from enum import Enum, auto
from typing import Any

from nexus_engine.data.messages import file_error, looks_like_name, row_error
from nexus_engine.data.reading.columns import columns_by_name
from nexus_engine.data.reading.json_values import JsonText, data_array
from nexus_engine.data.reading.sources import Source
from nexus_engine.errors import DataError

__all__ = ["JsonShape", "shape_of"]


class JsonShape(Enum):
    """How the pairs stand in a file."""

    LINES = auto()
    """A value on each line."""
    ARRAY = auto()
    """One array of objects or arrays."""
    DATA = auto()
    """An object with such an array under `data`."""
    APART = auto()
    """Objects over several lines each, one after another."""


RETRIEVAL_KEYS = ("queries", "corpus", "relevant_docs")
RETRIEVAL = (
    "queries, corpus and relevant_docs of a retrieval set (as LlamaIndex writes it), which is not "
    'read; write a line for each pair: {"sentence1": ..., "sentence2": ..., "score": ...}'
)


def shape_of(source: Source) -> JsonShape:
    """The shape of the JSON in `source`.

    Raises DataError for a shape that is not read. What is not JSON is left to whoever reads it.
    """
    with closing(JsonText(source)) as text:
        try:
            head = text.peek()
        except DataError:
            return JsonShape.LINES
        if head == "[":
            text.take("[")
            return _array_shape(text, source.label)
        if head != "{":
            return JsonShape.LINES
        begun = text.line
        try:
            value = text.value()
        except DataError as error:
            return _unread_shape(source, error)
        return _object_shape(source, value, over_lines=text.line > begun)


def _array_shape(text: JsonText, label: str) -> JsonShape:
    inside = text.peek()
    if inside == "]":
        raise file_error(label, "is an empty array; give a file with pairs of sentences")
    return JsonShape.ARRAY if inside in ("{", "[") else JsonShape.LINES


def _object_shape(source: Source, value: dict[str, Any], *, over_lines: bool) -> JsonShape:
    names = list(value)
    label = source.label
    if set(RETRIEVAL_KEYS) <= set(names):
        raise row_error(label, 1, RETRIEVAL)
    if "columns" in names and isinstance(value.get("data"), list):
        raise row_error(label, 1, _by_pandas("columns and data apart", "split"))
    if _are_pairs(names):
        if any(isinstance(cells, dict | list) for cells in value.values()):
            raise row_error(label, 1, _by_pandas("each column in one piece", "columns"))
        return JsonShape.APART if over_lines else JsonShape.LINES
    if isinstance(value.get("data"), list):
        return JsonShape.DATA
    rows = [inner for inner in value.values() if isinstance(inner, dict)]
    if rows and len(rows) == len(names) and _are_pairs(list(rows[0])):
        raise row_error(label, 1, _by_pandas("each row under its number", "index"))
    for name, inner in value.items():
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            plain = name.isidentifier() and name.isascii()
            rows_of = f".{name}[]" if plain else ".[] | arrays | .[]"
            shown = f"the array {name}" if looks_like_name(name) else "an array"
            reason = f"one JSON object with its rows in {shown}; write one object a line"
            raise row_error(label, 1, f"{reason}: jq -c '{rows_of}' FILE > NEW.jsonl")
    return JsonShape.APART if over_lines else JsonShape.LINES


def _unread_shape(source: Source, error: DataError) -> JsonShape:
    """The shape of a file whose first object could not be read whole: it may be the whole file."""
    with closing(JsonText(source)) as text:
        try:
            if data_array(text):
                return JsonShape.DATA
        except DataError:
            pass
    with closing(JsonText(source)) as text:
        text.take("{")
        begun = text.line
        if text.peek() != '"':
            return JsonShape.LINES
        over_lines = text.line > begun
        try:
            name = text.value()
            inside = text.peek() if text.take(":") else ""
        except DataError:
            return JsonShape.LINES
    if name in RETRIEVAL_KEYS and inside == "{":
        raise row_error(source.label, 1, RETRIEVAL)
    if name == "columns" and inside == "[":
        raise row_error(source.label, 1, _by_pandas("columns and data apart", "split"))
    if inside in ("{", "[") and _is_column(name):
        raise row_error(source.label, 1, _by_pandas("each column in one piece", "columns"))
    if over_lines:
        raise error
    return JsonShape.LINES


def _are_pairs(names: list[str]) -> bool:
    """Whether fields by these names are a pair of sentences."""
    try:
        return columns_by_name("", names, score_needed=False) is not None
    except DataError:  # a name stands twice: whoever reads the columns says so
        return True


def _is_column(name: str) -> bool:
    return any(_are_pairs([name, other]) for other in OTHER_SENTENCES)


OTHER_SENTENCES = (
    *("sentence1", "sentence2", "sentence_a", "sentence_b", "text1", "text2", "premise"),
    *("hypothesis", "question1", "question2", "query", "document", "anchor", "positive"),
)


def _by_pandas(found: str, orient: str) -> str:
    """The refusal of a table that pandas reads, with the command that writes it in lines."""
    return (
        f"one JSON object with {found}, as pandas writes it; write one object a line: "
        f"python -c \"import pandas; pandas.read_json('FILE', orient='{orient}', dtype=False)"
        ".to_json('NEW.jsonl', orient='records', lines=True)\""
    )
