"""Rows of sentence pairs: one line each, or two on a narrow screen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from nexus_tui.app.kit.rows import Rows
from nexus_tui.app.playground.state import PlaygroundState, playground_of
from nexus_tui.charts.pairs.tables import pair_lines, pair_row

__all__ = ["PairRows", "ScoredRows"]

MIN_ONE_LINE = 70
"""From this width, two sentences and their figures fit on one line."""


class PairRows(Rows):
    """Base of the history, the pins and the scored pairs."""

    @property
    def playground(self) -> PlaygroundState:
        """The playground's state."""
        return playground_of(self)

    @staticmethod
    def lines_at(width: int) -> int:
        """Lines of a row at this width."""
        return 1 if width >= MIN_ONE_LINE else 2

    @property
    def each(self) -> int:
        """Lines of a row now."""
        return self.lines_at(self.size.width)


class ScoredRows(PairRows):
    """Base of the history and the scored pairs: two sentences and their cosines by both models.

    Override `facts`.
    """

    def facts(self, index: int) -> tuple[str, str, float, float | None]:
        """The sentences of a row, the base cosine, and the tuned one (None if there is none)."""
        raise NotImplementedError

    def row(self, index: int, width: int) -> Text:
        """A pair."""
        return pair_row(*self.facts(index), width, self.chart_style)

    def row_lines(self, index: int, width: int) -> Sequence[Text]:
        """A pair on one line or two."""
        if self.each == 1:
            return [self.row(index, width)]
        return pair_lines(*self.facts(index), width, self.chart_style)
