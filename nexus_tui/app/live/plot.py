"""One metric at full size; left and right switch between the metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import events as textual_events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from nexus_engine.events import Event
from nexus_engine.runs.run_view import RunView
from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.app.kit.draw_throttle import DrawThrottle
from nexus_tui.app.kit.frame import NexusScreen
from nexus_tui.app.live.chart_view import ChartView
from nexus_tui.charts.run.metrics import METRICS, Metric, drawing, metrics_of

__all__ = ["PlotScreen"]

PLOT_SECONDS = 1.0
"""Time between two drawings; a large plot changes more cells than the live screen's charts."""


class MetricRow(Canvas):
    """The names of the metrics, the current one highlighted; a click selects one."""

    DEFAULT_CSS = "MetricRow { height: 1; }"

    def __init__(self, *, metric: Metric) -> None:
        super().__init__()
        self.metric = metric
        self.view = RunView()

    def _spans(self, width: int) -> list[tuple[Metric, int, int]]:
        """The metrics that fit, with the columns of their names (start, end); the current fits."""
        metrics = metrics_of(self.view)
        titles = [(metric, len(metric.title_in(self.view))) for metric in metrics]
        first = 0
        current = metrics.index(self.metric)
        while first < current and sum(w + 3 for _, w in titles[first : current + 1]) > width:
            first += 1
        spans, column = [], 0
        for metric, title_width in titles[first:]:
            if column + title_width + 2 > width:
                break
            spans.append((metric, column, column + title_width + 2))
            column += title_width + 3
        return spans

    def picture(self, width: int, height: int) -> Sequence[Text]:  # noqa: ARG002
        """One line."""
        palette = self.chart_style.palette
        line = Text()
        for metric, _, _ in self._spans(width):
            current = metric is self.metric
            sign = self.chart_style.glyphs.selected if current else " "
            line.append(
                f"{sign}{metric.title_in(self.view)} ", palette.title if current else palette.dim
            )
            line.append(" ")
        return [line]

    def on_click(self, event: textual_events.Click) -> None:
        """Show the metric that was clicked."""
        for metric, start, end in self._spans(self.size.width):
            if start <= event.x < end and isinstance(self.screen, PlotScreen):
                self.screen.show_metric(metric)


class Legend(Canvas):
    """The names of the curves, if there are several."""

    DEFAULT_CSS = "Legend { height: 1; }"

    def __init__(self, *, metric: Metric) -> None:
        super().__init__()
        self.metric = metric
        self.view = RunView()

    def picture(self, width: int, height: int) -> Sequence[Text]:  # noqa: ARG002
        """One line: for each curve its stroke, solid or dotted, and its name."""
        plot = drawing(self.metric, self.view, self.chart_style, large=True)
        glyphs = self.chart_style.glyphs
        line = Text()
        for name, index in plot.names:
            curve = plot.curves[index]
            stroke = glyphs.dot * 2 if curve.dotted else glyphs.line * 2
            if line.cell_len + len(name) + 5 <= width:
                line.append(f"{stroke} {name}  ", curve.style)
        return [line]


class PlotScreen(NexusScreen):
    """The large plot of the open run; it follows a live run."""

    DEFAULT_CSS = """
    PlotScreen > #body { padding: 0 1; }
    PlotScreen MetricRow { margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "metric(1)", "Next metric", id="plot.next"),
        Binding("left,h", "metric(-1)", "Previous metric", id="plot.before"),
        Binding("escape,f", "close", "Back", id="plot.close"),
        Binding("y", "log_scale", "Log scale", id="plot.log_scale"),
    ]

    def __init__(self, *, metric: Metric) -> None:
        super().__init__()
        self._metric = metric
        self._throttle = DrawThrottle(PLOT_SECONDS)

    def body(self) -> ComposeResult:
        """The names, the plot, the legend."""
        yield MetricRow(metric=self._metric)
        yield ChartView(metric=self._metric, large=True)
        yield Legend(metric=self._metric)

    def on_mount(self) -> None:
        """Draw the plot; it takes no focus, since the screen has no other part."""
        self.query_one(ChartView).can_focus = False
        self._draw()

    def on_chart_view_opened(self, event: ChartView.Opened) -> None:
        """Ignore a click: the plot is at full size already."""
        event.stop()

    def show_metric(self, metric: Metric) -> None:
        """Show another metric."""
        self._metric = metric
        self._draw()

    def run_changed(self, events: Sequence[Event]) -> None:
        """Draw at a bounded rate."""
        self._throttle.request_draw(self, self._draw, events)

    def _draw(self) -> None:
        run = self.nexus.open_run
        chart, row = self.query_one(ChartView), self.query_one(MetricRow)
        legend = self.query_one(Legend)
        view = run.view if run is not None else RunView()
        if self._metric not in metrics_of(view):  # another run was opened
            self._metric = METRICS[0]
        chart.metric = row.metric = legend.metric = self._metric
        chart.view = row.view = legend.view = view
        for canvas in (row, chart, legend):
            canvas.redraw()

    def action_metric(self, step: int) -> None:
        """Show the next metric or the one before."""
        metrics = metrics_of(self.query_one(ChartView).view)
        self.show_metric(metrics[(metrics.index(self._metric) + step) % len(metrics)])

    def action_log_scale(self) -> None:
        """Turn the logarithmic scale on or off."""
        chart = self.query_one(ChartView)
        chart.log_scale = not chart.log_scale
        self._draw()

    def action_close(self) -> None:
        """Return to the live screen."""
        self.dismiss()
