"""Columns of graded pairs that the user names by their roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nexus_engine.data.messages import file_error, shown_names
from nexus_engine.data.reading.numbers import is_number
from nexus_engine.errors import ConfigError, DataError, one_line

__all__ = ["PAIR_ROLES", "checked_roles", "named_positions", "numbered_positions"]

PAIR_ROLES = ("sentence1", "sentence2", "score", "split")


def checked_roles(columns: Mapping[str, str] | None) -> Mapping[str, str]:
    """The columns of pairs by role; empty for None.

    Raises ConfigError for a role that pairs do not have, and for one sentence without the other.
    """
    columns = columns or {}
    unknown = [role for role in columns if role not in PAIR_ROLES]
    if unknown:
        known = f"{', '.join(PAIR_ROLES[:-1])} and {PAIR_ROLES[-1]}"
        raise ConfigError(f"columns: graded pairs have no {unknown[0]}; their roles are {known}")
    if ("sentence1" in columns) != ("sentence2" in columns):
        raise ConfigError("columns: name both sentence1 and sentence2, or neither")
    if len(set(columns.values())) < len(columns):
        raise ConfigError("columns: two roles have the same column; give each its own")
    return columns


def named_positions(
    location: str, names: Sequence[str], given: Mapping[str, str]
) -> dict[str, int]:
    """The position, from 0, of each role's column in `names`.

    A name that is written as in the file comes before one that differs in case or outer spaces.
    Raises DataError, with the names in the file, for one that is missing or stands twice.
    """
    return {role: _position(location, names, name) for role, name in given.items()}


def numbered_positions(
    location: str, head: Sequence[str], given: Mapping[str, str]
) -> dict[str, int] | None:
    """Positions that are given by number, from 1; None if `given` holds names.

    A table without a header has no other names for its columns.
    Raises DataError for a number beyond the columns of `head`.
    """
    if not given or any(name in head or not name.isdecimal() for name in given.values()):
        return None
    positions = {role: int(name) - 1 for role, name in given.items()}
    for at in positions.values():
        if not 0 <= at < len(head):
            raise _refused(location, str(at + 1), f"is not there; the row has {len(head)}")
    return positions


def _position(location: str, names: Sequence[str], name: str) -> int:
    matching = [at for at, other in enumerate(names) if other == name]
    if not matching:
        folded = name.strip().casefold()
        matching = [at for at, other in enumerate(names) if other.strip().casefold() == folded]
    if len(matching) > 1:
        raise _refused(location, name, "stands twice; rename one")
    if not matching and any(map(is_number, names)):  # the first row of a table without a header
        reason = "is not there: the first row holds a number, so it names no columns"
        raise _refused(location, name, f"{reason}; give their numbers, from 1")
    if not matching:
        raise _refused(location, name, f"is not there; the columns are {shown_names(names)}")
    return matching[0]


def _refused(location: str, name: str, reason: str) -> DataError:
    return file_error(location, f"the column {one_line(name, 60)} {reason}")
