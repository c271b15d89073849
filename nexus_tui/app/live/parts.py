"""The small parts of the live screen: head, guard, and a hint while no run is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from nexus_engine.runs.run_view import RunView
from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.charts.run.guard import guard_lines
from nexus_tui.charts.run.heading import Head, head_lines
from nexus_tui.charts.run.notes import note_lines
from nexus_tui.charts.run.result import result_picture

__all__ = ["EmptyRun", "GuardView", "RunHead"]

HINT_COLUMNS = 44
"""Width of the lines of `EmptyRun`."""


class RunHead(Canvas):
    """Set `view` and `head`, then call `redraw`. `lines_for` tells how many rows it needs."""

    DEFAULT_CSS = "RunHead { height: 3; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.view = RunView()
        self.head = Head(name="")

    def lines_for(self, width: int) -> list[Text]:
        """All lines at `width`, independent of the widget's current size."""
        lines = result_picture(self.view, self.head, width, self.chart_style)
        lines = lines or head_lines(self.view, self.head, width, self.chart_style)
        return lines + note_lines(self.view, width, self.chart_style)

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """The lines that fit."""
        return self.lines_for(width)[:height]


class GuardView(Canvas):
    """Set `view`, then call `redraw`."""

    DEFAULT_CSS = "GuardView { height: 1; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.view = RunView()

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """One line, or a few if there is room."""
        return guard_lines(
            self.view.arm("main"), width=width, height=height, chart_style=self.chart_style
        )


class EmptyRun(Canvas):
    """Says what to press; `keys` maps the ID of an action to its key."""

    DEFAULT_CSS = "EmptyRun { height: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.keys: Mapping[str, str] = {}

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """The lines, in the middle of the widget."""
        palette = self.chart_style.palette
        lines = [Text("No run is open.", palette.title), Text()]
        for action_id, words in (
            ("run.new", "start a new run"),
            ("go.runs", "open one from the list of runs"),
            ("go.playground", "try the base model on sentences"),
        ):
            if action_id in self.keys:
                key = f"{self.keys[action_id]:>3}  "
                lines.append(Text.assemble((key, palette.title), (words, palette.text)))
        left = max(0, (width - HINT_COLUMNS) // 2)
        top = max(0, (height - len(lines)) // 3)
        return [Text()] * top + [Text(" " * left).append_text(line) for line in lines]
