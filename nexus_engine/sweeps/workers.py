"""The interface between a sweep and whatever runs its cells."""

from __future__ import annotations

from typing import NamedTuple, Protocol

__all__ = ["Ended", "Workers"]


class Ended(NamedTuple):
    """The end of a cell's process. `exit_code` is None if it died; `message` is one line."""

    cell: str
    exit_code: int | None
    message: str


class Workers(Protocol):
    """Runs cells, at most `jobs` at a time."""

    @property
    def jobs(self) -> int:
        """The most cells that run at a time."""

    @property
    def engine(self) -> str:
        """The name for the log: `processes`, or `ray` with its address."""

    def start(self, cell: str) -> None:
        """Begin or resume a cell; the caller keeps at most `jobs` live."""

    def ended(self) -> list[Ended]:
        """The cells that ended since the last call, without waiting."""

    def stop(self) -> None:
        """Tell every live cell to save and end; `ended` returns each that has."""

    def close(self) -> None:
        """Kill the cells that are left."""
