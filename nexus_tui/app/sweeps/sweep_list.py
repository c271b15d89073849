"""The list of sweeps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from nexus_engine.sweeps.following import SweepSummary
from nexus_tui.app.kit.rows import Rows
from nexus_tui.charts.sweep.rows import sweep_columns, sweep_header, sweep_line

__all__ = ["SweepList"]


class SweepList(Rows):
    """Sweeps under a header. The cursor stays on its sweep when the list changes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Open", key_display="enter", id="sweeps.open"),
    ]

    def __init__(self) -> None:
        super().__init__(id="sweep-list")
        self.sweeps: Sequence[SweepSummary] = ()

    def show_sweeps(self, sweeps: Sequence[SweepSummary]) -> None:
        """List `sweeps`."""
        index = self.selected
        current = None if index is None else self.sweeps[index].path
        paths = [sweep.path for sweep in sweeps]
        self.sweeps = sweeps
        if current in paths:
            self.cursor = paths.index(current)
        else:
            self.cursor = min(self.cursor, max(0, len(sweeps) - 1))
        self.redraw()

    def count(self) -> int:
        """The number of listed sweeps."""
        return len(self.sweeps)

    def head(self, width: int) -> Sequence[Text]:
        """The titles of the columns."""
        columns = sweep_columns(self.sweeps, width - 2)
        return [Text("  ").append_text(sweep_header(columns, self.chart_style))]

    def row(self, index: int, width: int) -> Text:
        """The line of a sweep."""
        columns = sweep_columns(self.sweeps, width)
        return sweep_line(self.sweeps[index], columns, self.chart_style, now=time.time())
