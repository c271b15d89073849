"""Rows that cannot be used: each is refused or, if the user wants so, left out and counted."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from nexus_engine.data.messages import row_error
from nexus_engine.errors import DataError

__all__ = ["BadRowError", "Fault", "Skipped"]

OPTION = "with --skip-bad"


class Fault(StrEnum):
    """What is wrong with a row, as a note says it."""

    SCORE = "without a usable score"
    SENTENCE = "without two usable sentences"
    SHAPE = "with too few or too many columns or fields"


class BadRowError(DataError):
    """A refusal of one row, without which the rest of the file can be read."""

    def __init__(self, label: str, row: int, reason: str, fault: Fault) -> None:
        super().__init__(str(row_error(label, row, reason)))
        self.fault = fault

    def with_advice(self) -> DataError:
        """The same refusal, which also says how to leave the row out."""
        return DataError(f"{self}, or leave it out {OPTION}")


class Skipped:
    """Counts the rows of a file that are left out."""

    def __init__(self) -> None:
        self._counts: Counter[Fault] = Counter()
        self.first: BadRowError | None = None
        """The refusal of the first of them."""

    def add(self, error: BadRowError) -> None:
        """Count the row that `error` refuses."""
        self.add_rows(error.fault, 1, error)

    def add_rows(self, fault: Fault, count: int, first: BadRowError) -> None:
        """Count rows of one fault, the first of which `first` refuses."""
        self._counts[fault] += count
        self.first = self.first or first

    def notes(self) -> list[str]:
        """One line on these rows; none if there are none."""
        total = self._counts.total()
        if not total:
            return []
        rows = "1 row is" if total == 1 else f"{total:,} rows are"
        parts = [f"{count:,} {fault}" for fault, count in self._counts.items() if count]
        return [f"{rows} left out: {', '.join(parts)}"]
