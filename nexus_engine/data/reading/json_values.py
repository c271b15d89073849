"""Read JSON values one after another from a text of any length, without holding all of it."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

from nexus_engine.data.messages import row_error
from nexus_engine.data.reading.sources import Source
from nexus_engine.data.reading.text_lines import text_pieces
from nexus_engine.errors import DataError

__all__ = [
    "LIMITS",
    "JsonLimits",
    "JsonText",
    "LineValue",
    "RepeatedKeyError",
    "array_values",
    "decoded",
    "lone_values",
]

SPACE = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """How much text is held in memory at once."""

    chunk_characters: int = 1 << 16
    """Read at a time."""
    max_value_characters: int = 8_000_000
    """Of one value: without a limit, an unclosed bracket would gather the rest of the file."""


LIMITS = JsonLimits()


class RepeatedKeyError(ValueError):
    """A JSON object names a field twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise RepeatedKeyError
    return value


DECODER = json.JSONDecoder(object_pairs_hook=_object)
decoded = DECODER.decode
"""The value of a complete text. Raises what `JSONDecoder` raises, and RepeatedKeyError."""


class JsonText:
    """A cursor over the JSON text of a file; text behind the cursor is dropped."""

    def __init__(self, source: Source, limits: JsonLimits = LIMITS) -> None:
        self._label = source.label
        self._limits = limits
        self._pieces = text_pieces(source, limits.chunk_characters)
        self._text = ""
        self._position = 0
        self._ended = False
        self._ended_in_cr = False
        self.line = 1
        """The line of the cursor, from 1."""

    def close(self) -> None:
        """Close the file."""
        self._pieces.close()

    def peek(self) -> str:
        """The next character that is not whitespace; empty at the end of the text."""
        while True:
            match = SPACE.match(self._text, self._position)
            assert match is not None
            self._advance(match.end())
            if self._position < len(self._text):
                return self._text[self._position]
            if not self._fill():
                return ""

    def take(self, character: str) -> bool:
        """Move past `character` if it is the next one that is not whitespace."""
        if self.peek() != character:
            return False
        self._advance(self._position + 1)
        return True

    def opens_objects(self) -> bool:
        """Whether the cursor stands before an array whose first value is an object."""
        if self.peek() != "[":
            return False
        while True:
            match = SPACE.match(self._text, self._position + 1)
            assert match is not None
            if match.end() < len(self._text):
                return self._text[match.end()] == "{"
            if not self._fill():
                return False

    def value(self) -> Any:
        """Read the value at the cursor and move past it.

        Raises DataError, with the line, for a value that is not JSON, is nested too deeply, names a
        field twice or is longer than 8 million characters.
        """
        self.peek()
        row = self.line
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._position)
            except RecursionError:
                raise row_error(self._label, row, "the JSON is nested too deeply") from None
            except RepeatedKeyError:
                reason = "a field is named twice in the object; rename or remove one"
                raise row_error(self._label, row, reason) from None
            except json.JSONDecodeError as error:
                if len(self._text) - self._position > self._limits.max_value_characters:
                    reason = "a JSON value is longer than 8 MB; write one object per line"
                    raise row_error(self._label, row, reason) from None
                if not self._fill():
                    raise self._not_json(error.pos) from None
            except ValueError:  # an integer with more digits than Python converts
                raise row_error(self._label, row, "a number is too long to read") from None
            else:
                # A number at the end of the text held so far may go on.
                if end < len(self._text) or not self._fill():
                    self._advance(end)
                    return value

    def refused(self, reason: str) -> DataError:
        """A DataError with the line of the cursor."""
        return row_error(self._label, self.line, reason)

    def _not_json(self, position: int) -> DataError:
        end = len(self._text.rstrip())
        if position >= end:
            self._advance(end)
            return self.refused("the JSON is cut off; copy or save the file again")
        self._advance(position)
        line_end = max(self._text.rfind("\n", 0, position), self._text.rfind("\r", 0, position))
        where = f"at character {position - line_end}" if line_end >= 0 else "here"
        return self.refused(f"not JSON {where}; correct it, or write one object per line")

    def _advance(self, end: int) -> None:
        text, start = self._text, self._position
        self.line += text.count("\n", start, end)
        if "\r" in text:
            self.line += text.count("\r", start, end) - text.count("\r\n", start, end)
        if self._ended_in_cr and text.startswith("\n", start, end):
            self.line -= 1  # the CR of this line end was counted before
        if end > start:
            self._ended_in_cr = text[end - 1] == "\r"
        self._position = end

    def _fill(self) -> bool:
        """Double the text ahead of the cursor, by at least a chunk; False at its end."""
        if self._ended:
            return False
        ahead = self._text[self._position :]
        missing, pieces = max(self._limits.chunk_characters, len(ahead)), [ahead]
        while missing > 0:
            piece = next(self._pieces, None)
            if piece is None:
                self._ended = True
                break
            pieces.append(piece)
            missing -= len(piece)
        self._text, self._position = "".join(pieces), 0
        return len(pieces) > 1


LineValue = tuple[int, Any]
"""The line on which a value starts, and the value."""


def array_values(text: JsonText) -> Iterator[LineValue]:
    """Yield the values of the array at the cursor, and move past it."""
    if not text.take("["):
        raise text.refused("an array is expected here")
    if text.take("]"):
        return
    while True:
        text.peek()
        line = text.line
        yield line, text.value()
        if text.take("]"):
            return
        if not text.take(","):
            cut_off = "the JSON is cut off; copy or save the file again"
            raise text.refused("a comma is missing between two values" if text.peek() else cut_off)


def lone_values(text: JsonText) -> Generator[LineValue]:
    """Yield values that follow each other with only whitespace between them."""
    while text.peek():
        line = text.line
        yield line, text.value()
