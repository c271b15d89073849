"""A chart of one metric, which can be focused and opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message

from nexus_engine.runs.run_view import RunView
from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.charts.run.metrics import Metric, chart

__all__ = ["ChartView"]


class ChartView(Canvas, can_focus=True):
    """Set `view`, then call `redraw`. Enter or a click asks for the metric's full-size plot."""

    DEFAULT_CSS = "ChartView { height: 1fr; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Full size", show=False, id="chart.open"),
    ]

    class Opened(Message):
        """The user wants the metric at full size."""

        def __init__(self, metric: Metric) -> None:
            super().__init__()
            self.metric = metric

    def __init__(
        self,
        *,
        metric: Metric,
        large: bool = False,
        id: str | None = None,  # noqa: A002 - Textual's own name
    ) -> None:
        super().__init__(id=id)
        self.metric = metric
        self.view = RunView()
        self.log_scale = False
        self._large = large

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """The title and the plot."""
        return chart(
            self.metric,
            self.view,
            width=width,
            height=height,
            chart_style=self.chart_style,
            focused=self.has_focus or self._large,
            log=self.log_scale,
            large=self._large,
        )

    def on_focus(self) -> None:
        """Show the focus in the title."""
        self.redraw()

    def on_blur(self) -> None:
        """Remove the focus from the title."""
        self.redraw()

    def action_open(self) -> None:
        """Ask for the full-size plot."""
        self.post_message(self.Opened(self.metric))

    def on_click(self) -> None:
        """Ask for the full-size plot."""
        self.action_open()
