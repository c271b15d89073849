"""Find the rows of a JSON object that holds them in an array, as many programs write tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from enum import Enum, auto
from typing import Any

from nexus_engine.data.reading.json_values import (
    LIMITS,
    JsonLimits,
    JsonText,
    LineValue,
    array_values,
)
from nexus_engine.data.reading.sources import Source
from nexus_engine.errors import DataError

__all__ = ["RowsPlace", "place_of_rows", "rows_of", "rows_place", "unread_place"]

ROW_KEYS = ("data", "rows", "examples")
COLUMNS_KEY = "columns"


class RowsPlace(Enum):
    """Where the first object of a JSON text keeps rows."""

    NOWHERE = auto()
    NAMED = auto()
    """In an array under one of ROW_KEYS."""
    ALONE = auto()
    """In its only array of objects, under another name."""


def place_of_rows(value: dict[str, Any], *, is_whole: bool) -> RowsPlace:
    """Where the object `value` keeps rows; `is_whole` tells that nothing follows it in the file.

    An object that others follow is a row itself, unless it has `data`. If `columns` stands beside
    the rows, they have no names of their own.
    """
    keys = ROW_KEYS if is_whole else ROW_KEYS[:1]
    if any(isinstance(value.get(key), list) for key in keys):
        return RowsPlace.NOWHERE if COLUMNS_KEY in value else RowsPlace.NAMED
    arrays = [inner for inner in value.values() if _is_rows(inner)]
    return RowsPlace.ALONE if is_whole and len(arrays) == 1 else RowsPlace.NOWHERE


def rows_place(source: Source, limits: JsonLimits = LIMITS) -> RowsPlace:
    """Where the first object of `source` keeps rows, also if it is too long to be held."""
    with closing(JsonText(source, limits)) as text:
        try:
            value = text.value()
            is_whole = not text.peek()
        except DataError:
            return unread_place(source, limits)
    return place_of_rows(value, is_whole=is_whole) if isinstance(value, dict) else RowsPlace.NOWHERE


def unread_place(source: Source, limits: JsonLimits) -> RowsPlace:
    """Where an object that cannot be held keeps rows."""
    for place in (RowsPlace.NAMED, RowsPlace.ALONE):
        with closing(JsonText(source, limits)) as text:
            try:
                if _seek(text, place):
                    return place
            except DataError:
                pass
    return RowsPlace.NOWHERE


def rows_of(text: JsonText, place: RowsPlace) -> Iterator[LineValue]:
    """Yield the rows at `place` in the object at the cursor.

    Raises DataError for values that are not JSON and for a second array of rows.
    """
    if not _seek(text, place):
        return
    yield from array_values(text)
    if place is RowsPlace.ALONE:
        while text.take(","):
            text.value()
            if text.take(":") and text.opens_objects():
                raise text.refused("a second array of rows; write each into a file of its own")
            text.value()


def _seek(text: JsonText, place: RowsPlace) -> bool:
    """Move to the array of rows in the object at the cursor; False if there is none."""
    if not text.take("{"):
        return False
    while text.peek() == '"':
        key = text.value()
        if not text.take(":"):
            raise text.refused("not JSON: a colon is missing")
        if place is RowsPlace.ALONE and text.opens_objects():
            return True
        if place is RowsPlace.NAMED and key in ROW_KEYS and text.peek() == "[":
            return True
        if key == COLUMNS_KEY:
            return False
        text.value()
        if not text.take(","):
            return False
    return False


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)
