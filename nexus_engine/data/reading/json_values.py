"""JSON values one after another out of a text of any length, without holding all of it."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from typing import Any

from nexus_engine.data.messages import row_error
from nexus_engine.data.reading.sources import Source
from nexus_engine.data.reading.text_lines import text_pieces
from nexus_engine.errors import DataError

__all__ = ["JsonText", "RepeatedKeyError", "array_values", "data_array", "decoded", "lone_values"]

VALUE_CHARACTERS = 8_000_000
"""Of one value, as of one line: without a bound, a bracket that is never closed would gather the
rest of the file in memory."""
CHUNK_CHARACTERS = 1 << 16
SPACE = re.compile(r"[ \t\n\r]*")
DATA_KEY = "data"


class RepeatedKeyError(ValueError):
    """A JSON object names a field twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise RepeatedKeyError
    return value


DECODER = json.JSONDecoder(object_pairs_hook=_object)
decoded = DECODER.decode
"""The value of a whole text. Raises what `JSONDecoder` does, and RepeatedKeyError."""


class JsonText:
    """A cursor over the JSON text of a file; what it has passed is let go of."""

    def __init__(self, source: Source) -> None:
        self._label = source.label
        self._pieces = text_pieces(source)
        self._text = ""
        self._at = 0
        self._ended = False
        self.line = 1
        """The line of the cursor, from 1."""

    def close(self) -> None:
        """Close the file."""
        self._pieces.close()

    def peek(self) -> str:
        """The next character that is no space; empty at the end of the text."""
        while True:
            match = SPACE.match(self._text, self._at)
            assert match is not None
            self._advance(match.end())
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill():
                return ""

    def take(self, character: str) -> bool:
        """Pass `character` if it is the next one that is no space."""
        if self.peek() != character:
            return False
        self._advance(self._at + 1)
        return True

    def value(self) -> Any:
        """Read the value at the cursor and pass it.

        Raises DataError, with the line, for what is not JSON, is nested too deeply, names a field
        twice or is longer than 8 million characters.
        """
        self.peek()
        row = self.line
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
            except RecursionError:
                raise row_error(self._label, row, "the JSON is nested too deeply") from None
            except RepeatedKeyError:
                reason = "a field is named twice in the object; rename or remove one"
                raise row_error(self._label, row, reason) from None
            except json.JSONDecodeError as error:
                if len(self._text) - self._at > VALUE_CHARACTERS:
                    reason = "a JSON value is longer than 8 MB; write one object a line"
                    raise row_error(self._label, row, reason) from None
                if not self._fill():
                    raise self._not_json(error.pos) from None
            except ValueError:  # an integer of more digits than Python converts
                raise row_error(self._label, row, "a number is too long to read") from None
            else:
                # A number that ends where the text held so far does may go on.
                if end < len(self._text) or not self._fill():
                    self._advance(end)
                    return value

    def refused(self, reason: str) -> DataError:
        """A DataError at the cursor."""
        return row_error(self._label, self.line, reason)

    def _not_json(self, at: int) -> DataError:
        end = len(self._text.rstrip())
        if at >= end:
            self._advance(end)
            return self.refused("the JSON is cut off; copy or save the file again")
        self._advance(at)
        begun = max(self._text.rfind("\n", 0, at), self._text.rfind("\r", 0, at))
        where = f"at character {at - begun}" if begun >= 0 else "here"
        return self.refused(f"not JSON {where}; correct it, or write one object a line")

    def _advance(self, to: int) -> None:
        text, at = self._text, self._at
        self.line += text.count("\n", at, to)
        if "\r" in text:
            self.line += text.count("\r", at, to) - text.count("\r\n", at, to)
        self._at = to

    def _fill(self) -> bool:
        """Hold as much more text as is held ahead of the cursor; False at the end of the text."""
        if self._ended:
            return False
        kept = self._text[self._at :]
        wanted, found = max(CHUNK_CHARACTERS, len(kept)), [kept]
        while wanted > 0:
            piece = next(self._pieces, None)
            if piece is None:
                self._ended = True
                break
            found.append(piece)
            wanted -= len(piece)
        self._text, self._at = "".join(found), 0
        return len(found) > 1


Placed = tuple[int, Any]
"""The line on which a value starts, and the value."""


def array_values(text: JsonText) -> Iterator[Placed]:
    """The values of the array at the cursor, which is passed with it."""
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
            missing = "the JSON is cut off; copy or save the file again"
            raise text.refused("a comma is missing between two values" if text.peek() else missing)


def lone_values(text: JsonText) -> Generator[Placed]:
    """Values that follow each other with nothing but space between them."""
    while text.peek():
        line = text.line
        yield line, text.value()


def data_array(text: JsonText) -> bool:
    """Go to the array under `data` in the object at the cursor; False where there is none.

    What stands before it is passed; where columns are named there, the rows are no objects.
    """
    if not text.take("{"):
        return False
    while text.peek() == '"':
        key = text.value()
        if not text.take(":"):
            raise text.refused("not JSON: a colon is missing")
        if key == DATA_KEY:
            return text.peek() == "["
        if key == "columns":
            return False
        text.value()
        if not text.take(","):
            return False
    return False
