"""Rows that are pairs of sentences: on one line each, or on two where there is little width."""

from __future__ import annotations

from nexus_tui.app.kit.rows import Rows
from nexus_tui.app.playground.state import PlaygroundState, playground_of

__all__ = ["PairRows"]

ONE_LINE = 70
"""From this width two sentences and their figures stand on one line."""


class PairRows(Rows):
    """Base of the history, the pins and the scored pairs."""

    @property
    def playground(self) -> PlaygroundState:
        """The playground's state."""
        return playground_of(self)

    @staticmethod
    def lines_at(width: int) -> int:
        """Lines that a row takes at this width."""
        return 1 if width >= ONE_LINE else 2

    @property
    def each(self) -> int:
        """Lines that a row takes now."""
        return self.lines_at(self.size.width)
