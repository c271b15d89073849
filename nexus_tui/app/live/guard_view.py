"""The forgetting guard's figures and what they mean."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from nexus_engine.runs.run_view import RunView
from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.charts.run.guard import guard_lines

__all__ = ["GuardView"]


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
