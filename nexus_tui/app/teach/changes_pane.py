"""The list What changed: pins before and after, and verdicts that are now right or now wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text

from nexus_tui.app.kit.rows import Rows
from nexus_tui.app.teach.outcome import Outcome
from nexus_tui.app.teach.state import TeachState
from nexus_tui.charts.pairs.bars import clipped
from nexus_tui.charts.teach.changes import (
    ChangeRow,
    PinnedPair,
    PinnedQuestion,
    change_row,
    pinned_row,
    summary_line,
)
from nexus_tui.charts.teach.wrapping import wrapped

__all__ = ["ChangesRows"]


class _Line(NamedTuple):
    """A row of the list: a title, or an item of a section."""

    title: str = ""
    pinned: PinnedQuestion | PinnedPair | None = None
    change: ChangeRow | None = None


class ChangesRows(Rows):
    """The sections one below the other; the cursor goes through all of them."""

    DEFAULT_CSS = "ChangesRows { height: 1fr; margin: 0 1; }"

    def __init__(self, teach: TeachState) -> None:
        super().__init__(id="teach-changes")
        self._teach = teach
        self._outcome: Outcome | None = None
        self._lines: list[_Line] = []

    def _rows(self) -> list[_Line]:
        outcome = self._teach.retraining.outcome
        if outcome is not self._outcome:
            self._outcome = outcome
            self._lines = [] if outcome is None else _sections(outcome)
        return self._lines

    def count(self) -> int:
        """Titles and items."""
        return len(self._rows())

    def head(self, width: int) -> Sequence[Text]:
        """How many verdicts are right, before and after."""
        self._rows()
        if self._outcome is None:
            return ()
        curve = self._teach.retraining.curve
        more = [] if curve is None else wrapped(Text(curve.sentence), width, 3, self.chart_style)
        shares = ((self._outcome.held_out, True), (self._outcome.trained, False))
        return more + [
            summary_line(*share, held_out=held_out, width=width, chart_style=self.chart_style)
            for share, held_out in shares
        ]

    def empty(self, width: int) -> Sequence[Text]:
        """What stands here after a retrain."""
        words = self._teach.retraining.words or "nothing yet: t retrains on the verdicts so far"
        return [Text(clipped(words, width, self.chart_style), self.chart_style.palette.dim)]

    def row(self, index: int, width: int) -> Text:
        """A title, a pin or a verdict."""
        line = self._rows()[index]
        if line.pinned is not None:
            return pinned_row(line.pinned, width, self.chart_style)
        if line.change is not None:
            return change_row(line.change, width, self.chart_style)
        return Text(clipped(line.title, width, self.chart_style), self.chart_style.palette.title)


def _sections(outcome: Outcome) -> list[_Line]:
    lines: list[_Line] = []
    if outcome.pins:
        lines += [_Line("Pinned"), *(_Line(pinned=pin) for pin in outcome.pins)]
    else:
        lines.append(_Line("Nothing is pinned: p pins what is asked"))
    for title, rows in (("Now right", outcome.right), ("Now wrong", outcome.wrong)):
        lines.append(_Line(f"{title}: {len(rows)}"))
        lines += [_Line(change=row) for row in rows]
    return lines
