"""The head of the live screen: the run's name, state and progress, or its result."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from nexus_engine.runs.run_view import RunView
from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.charts.run.heading import Head, head_lines
from nexus_tui.charts.run.notes import note_lines
from nexus_tui.charts.run.result import result_picture

__all__ = ["RunHead"]


class RunHead(Canvas):
    """Set `view` and `head`, then `redraw`. `lines_for` says how many rows it wants."""

    DEFAULT_CSS = "RunHead { height: 3; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.view = RunView()
        self.head = Head(name="")

    def lines_for(self, width: int) -> list[Text]:
        """The picture at that width, whatever the widget's present size."""
        lines = result_picture(self.view, self.head, width, self.chart_style)
        lines = lines or head_lines(self.view, self.head, width, self.chart_style)
        return lines + note_lines(self.view, width, self.chart_style)

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """The lines that fit."""
        return self.lines_for(width)[:height]
