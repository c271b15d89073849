"""How a refusal is worded: file, row, reason, what to do, on one line, without the data."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from nexus_engine.errors import DataError, one_line

__all__ = ["file_error", "looks_like_name", "row_error", "shown_names", "shown_path"]

PATH_CHARACTERS = 200
"""A path is cut to this, so that a reason always follows it on the line."""

NAME_LIKE = re.compile(r"[^\W\d][\w.\-]{0,39}")
"""What may be repeated as a column's name. Anything with a space in it could be a sentence: a
file without a header has data where names would stand."""


def shown_path(path: str | os.PathLike[str]) -> str:
    """`path` as a message may show it: one line, no control characters, cut when long."""
    clean = one_line(os.fspath(path), PATH_CHARACTERS)
    return clean or "(a name without printable characters)"


def looks_like_name(name: str) -> bool:
    """Whether `name` is a single word, as columns are called."""
    return NAME_LIKE.fullmatch(name.strip()) is not None


def shown_names(names: Iterable[str], limit: int = 12) -> str:
    """Column names for a message; those that could be data are shown by position only."""
    words = [
        name.strip() if looks_like_name(name) else f"(column {position})"
        for position, name in enumerate(names, start=1)
    ]
    more = f" and {len(words) - limit} more" if len(words) > limit else ""
    return ", ".join(words[:limit]) + more


def file_error(label: str, reason: str) -> DataError:
    """A refusal of the whole file `label` (already made printable)."""
    return DataError(f"{label}: {reason}")


def row_error(label: str, row: int, reason: str) -> DataError:
    """A refusal of one row: `row` counts lines from 1, or records where there are no lines."""
    return DataError(f"{label}:{row}: {reason}")
