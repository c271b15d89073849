"""What a terminal's encoding can show, and what stands in for the characters that it lacks."""

from __future__ import annotations

import codecs
from typing import IO, Any

__all__ = ["REPLACE_BY_CELLS", "draws_pictures", "terminal_encoding"]

REPLACE_BY_CELLS = "nexus-cells"
"""Error handler for encoding: a question mark for each cell of a character that is lacking.

Escapes such as \\u2500 take six cells for one and push a row out of its columns.
"""
PICTURES = "\u2801\u2588\u2500\u25b8"
"""Of the signs that charts and lists are drawn with."""


def terminal_encoding(stream: IO[Any] | None) -> str:
    """The encoding of a terminal that `stream` writes to or reads from.

    UTF-8 stands for an unknown one and for one without ASCII, which a terminal cannot have.
    """
    name = getattr(stream, "encoding", None) or "utf-8"
    try:
        found = codecs.lookup(name).name
        whole = "\x1b[0m~".encode(found) == b"\x1b[0m~"
    except (LookupError, UnicodeError):
        return "utf-8"
    return found if whole else "utf-8"


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
