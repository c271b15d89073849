"""Word a refusal as one line: file, row, reason, what to do, and no text of the data."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from nexus_engine.errors import DataError, one_line

__all__ = ["file_error", "looks_like_name", "row_error", "shown_names", "shown_path"]

MAX_PATH_CHARACTERS = 200
"""A longer path is cut, so that the line always has room for the reason."""

NAME_LIKE = re.compile(r"[^\W\d][\w.\-]{0,39}")
"""What a message may quote as a column's name. In a file without a header the names are data, and
anything with a space in it could be a sentence."""


def shown_path(path: str | os.PathLike[str]) -> str:
    """`path` as a message shows it: on one line, without control characters, cut when long."""
    clean = one_line(os.fspath(path), MAX_PATH_CHARACTERS)
    return clean or "(a name without printable characters)"


def looks_like_name(name: str) -> bool:
    """Whether `name` is a single word, like the name of a column."""
    return NAME_LIKE.fullmatch(name.strip()) is not None


def shown_names(names: Iterable[str], limit: int = 12) -> str:
    """Column names for a message; names that could be data are shown as positions."""
    words = [
        name.strip() if looks_like_name(name) else f"(column {position})"
        for position, name in enumerate(names, start=1)
    ]
    more = f" and {len(words) - limit} more" if len(words) > limit else ""
    return ", ".join(words[:limit]) + more


def file_error(label: str, reason: str) -> DataError:
    """A refusal of a whole file; `label` is its printable name."""
    return DataError(f"{label}: {reason}")


def row_error(label: str, row: int, reason: str) -> DataError:
    """A refusal of one row; `row` is the line from 1, or the record in files without lines."""
    return DataError(f"{label}:{row}: {reason}")
