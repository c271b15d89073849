"""The characters that a terminal's encoding has, and the substitute for those that it lacks."""

from __future__ import annotations

import codecs
from typing import IO, Any

__all__ = ["REPLACE_BY_CELLS", "draws_pictures", "terminal_encoding"]

REPLACE_BY_CELLS = "nexus-cells"
"""Error handler for encoding: a question mark for each cell of a lacking character.

An escape such as \\u2500 takes six cells for one and pushes a row out of its columns.
"""
PICTURES = "\u2801\u2588\u2500\u25b8"
"""Some of the signs that charts and lists are drawn with."""


def terminal_encoding(stream: IO[Any] | None) -> str:
    """The encoding of a terminal that `stream` writes to or reads from.

    It is UTF-8 if the encoding is unknown or lacks ASCII, which no terminal lacks.
    """
    name = getattr(stream, "encoding", None) or "utf-8"
    try:
        encoding = codecs.lookup(name).name
        has_ascii = "\x1b[0m~".encode(encoding) == b"\x1b[0m~"
    except (LookupError, UnicodeError):
        return "utf-8"
    return encoding if has_ascii else "utf-8"


def draws_pictures(stream: IO[Any] | None) -> bool:
    """Whether the stream's encoding has the characters that charts are drawn with."""
    try:
        PICTURES.encode(getattr(stream, "encoding", None) or "utf-8")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def _by_cells(error: UnicodeError) -> tuple[str, int]:
    from rich.cells import cell_len

    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "?" * cell_len(lacking), error.end


codecs.register_error(REPLACE_BY_CELLS, _by_cells)
