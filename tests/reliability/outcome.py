"""What a check found, and how much it is to try."""

from __future__ import annotations

from typing import NamedTuple


class Outcome(NamedTuple):
    """`failures` has a line for each trial that failed; none is how it should be."""

    promise: str
    trials: int
    failures: list[str]
    note: str = ""

    def passed(self) -> None:
        """Raise AssertionError where a trial failed or none was made."""
        assert self.trials > 0, f"{self.promise}: nothing was tried"
        assert not self.failures, (
            f"{self.promise}: {len(self.failures)} of {self.trials} failed:\n"
            + "\n".join(self.failures[:10])
        )
