"""Rows that are pairs of sentences: on one line each, or on two where there is little width."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from nexus_tui.app.kit.rows import Rows
from nexus_tui.app.playground.state import PlaygroundState, playground_of
from nexus_tui.charts.pairs.tables import pair_lines, pair_row

__all__ = ["PairRows", "ScoredRows"]

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


class ScoredRows(PairRows):
    """Base of the history and the scored pairs: two sentences, by the base and by the tuned model.

    Override `facts`.
    """

    def facts(self, index: int) -> tuple[str, str, float, float | None]:
        """Both sentences of a row and their cosines; no second one without a tuned model."""
        raise NotImplementedError

    def row(self, index: int, width: int) -> Text:
        """A pair."""
        return pair_row(*self.facts(index), width, self.chart_style)

    def row_lines(self, index: int, width: int) -> Sequence[Text]:
        """A pair on one line or two."""
        if self.each == 1:
            return [self.row(index, width)]
        return pair_lines(*self.facts(index), width, self.chart_style)
