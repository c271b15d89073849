"""The small parts of the live screen: the head, the guard, and what stands where no run is open."""

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

WIDE = 44
"""Columns of the lines of `EmptyRun`."""


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


class GuardView(Canvas):
    """Set `view`, then `redraw`."""

    DEFAULT_CSS = "GuardView { height: 1; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.view = RunView()

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """One line, or a few where there is room."""
        return guard_lines(
            self.view.arm("main"), width=width, height=height, chart_style=self.chart_style
        )


class EmptyRun(Canvas):
    """A few lines in the middle; `keys` gives the key of an action by its ID."""

    DEFAULT_CSS = "EmptyRun { height: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.keys: Mapping[str, str] = {}

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """The lines, in the middle of the room."""
        palette = self.chart_style.palette
        lines = [Text("No run is open.", palette.title), Text()]
        for name, words in (
            ("run.new", "start a new run"),
            ("go.runs", "open one from the list of runs"),
            ("go.playground", "try the base model on sentences"),
        ):
            if name in self.keys:
                key = f"{self.keys[name]:>3}  "
                lines.append(Text.assemble((key, palette.title), (words, palette.text)))
        left = max(0, (width - WIDE) // 2)
        top = max(0, (height - len(lines)) // 3)
        return [Text()] * top + [Text(" " * left).append_text(line) for line in lines]
