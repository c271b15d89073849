"""What a sweep needs of whatever runs its cells: start, look, stop."""

from __future__ import annotations

from typing import NamedTuple, Protocol

__all__ = ["Ended", "Workers"]


class Ended(NamedTuple):
    """A cell's process ended. `exit_code` None: it died without one. `message` is one line."""

    cell: str
    exit_code: int | None
    message: str


class Workers(Protocol):
    """Runs cells, `jobs` at a time; `engine` names it for the record."""

    @property
    def jobs(self) -> int:
        """How many cells run at a time."""

    @property
    def engine(self) -> str:
        """A word for the record: processes, or ray with its address."""

    def start(self, cell: str) -> None:
        """Begin or go on with a cell; called for at most `jobs` at a time."""

    def ended(self) -> list[Ended]:
        """Those that ended since the last look, without waiting."""

    def stop(self) -> None:
        """Ask every live cell to save and end; `ended` tells when they have."""

    def close(self) -> None:
        """End what is left at once."""
