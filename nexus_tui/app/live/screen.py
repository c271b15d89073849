"""The live screen: it shows the open run as it trains and steers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.timer import Timer

from nexus_engine.events import Event
from nexus_engine.runs.run_view import RunView
from nexus_tui.app.kit.draw_throttle import DrawThrottle
from nexus_tui.app.live.applicable import HIDDEN_WHEN_ENDED
from nexus_tui.app.live.chart_view import ChartView
from nexus_tui.app.live.log_view import LogView
from nexus_tui.app.live.parts import EmptyRun, GuardView, RunHead
from nexus_tui.app.live.plot import PlotScreen
from nexus_tui.app.live.row_layout import lay_out_rows
from nexus_tui.app.live.steering import SteeringScreen
from nexus_tui.app.live.switch_line import SwitchLine
from nexus_tui.app.open_run import OpenRun
from nexus_tui.charts.run.metrics import METRICS, Metric

__all__ = ["LiveScreen"]

PROCESS_SECONDS = 2.0
"""Time between two checks whether the process of the open run is still alive."""


class LiveScreen(SteeringScreen):
    """Shows `nexus.open_run`, steers it, and opens the screens that follow."""

    DEFAULT_CSS = """
    LiveScreen > #body { padding: 0 1; }
    LiveScreen Container { height: auto; width: 1fr; }
    LiveScreen #charts { layout: horizontal; }
    LiveScreen #charts > #loss { margin-right: 2; }
    LiveScreen EmptyRun { display: none; }
    LiveScreen.-empty RunHead, LiveScreen.-empty #main { display: none; }
    LiveScreen.-empty EmptyRun { display: block; }
    LiveScreen.-columns #main { layout: horizontal; height: 1fr; }
    LiveScreen.-columns #left { width: 3fr; height: 1fr; margin-right: 3; }
    LiveScreen.-columns #right { width: 2fr; height: 1fr; }
    LiveScreen.-columns #charts { layout: vertical; height: 1fr; }
    LiveScreen.-columns #charts > #loss, LiveScreen.-columns #charts > #score {
        margin: 0 0 1 0;
    }
    """
    AUTO_FOCUS = "SwitchLine"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "playground", "Try", id="run.playground"),
        Binding("e", "export", "Export", id="run.export"),
        Binding("c", "compare", "Compare", show=False, id="run.compare"),
        Binding("n", "new_run", "New run", show=False, id="run.new"),
        Binding("f", "plot", "Plot", id="run.plot"),
        Binding("escape", "back", "Back to the list", show=False, id="run.back"),
        Binding("o", "log", "Log", show=False, id="run.log"),
        Binding("right,l", "switch(1)", "Next switch", show=False, id="run.switch_next"),
        Binding("left,h", "switch(-1)", "Previous switch", show=False, id="run.switch_prev"),
        Binding("enter", "switch_detail", "Switch details", show=False, id="run.switch_detail"),
        Binding("j,down", "log_rows(-1)", "Log down", show=False, id="run.log_down"),
        Binding("k,up", "log_rows(1)", "Log up", show=False, id="run.log_up"),
        Binding("pagedown", "log_page(-1)", "Log page down", show=False, id="run.log_page_down"),
        Binding("pageup", "log_page(1)", "Log page up", show=False, id="run.log_page_up"),
    ]

    def __init__(self, *, process_seconds: float = PROCESS_SECONDS) -> None:
        super().__init__()
        self._process_seconds = process_seconds
        self._throttle = DrawThrottle()
        self.drawn_run: OpenRun | None = None
        """The run whose log and selected switch the parts show."""
        self._applicable: tuple[object, ...] = ()
        self._process_timer: Timer | None = None

    # Drawing

    def body(self) -> ComposeResult:
        """Head, charts, timeline, guard, log; or a hint while no run is open."""
        yield RunHead()
        with Container(id="main"):
            with Container(id="left"):
                with Container(id="charts"):
                    yield ChartView(metric=METRICS[0], id="loss")
                    yield ChartView(metric=METRICS[1], id="score")
                yield SwitchLine()
            with Container(id="right"):
                yield GuardView()
                yield LogView()
        yield EmptyRun()

    def on_mount(self) -> None:
        """Start to watch the run's process."""
        self._process_timer = self.set_interval(self._process_seconds, self._check_process)
        self._show_keys()
        self.draw()

    def on_screen_resume(self) -> None:
        """Resume on coming to the front; the keys may have changed."""
        if self._process_timer is not None:
            self._process_timer.resume()
        if self.is_mounted:
            self._show_keys()
        super().on_screen_resume()

    def on_screen_suspend(self) -> None:
        """Pause while another screen is in front.

        Textual repaints the whole window for each message to a screen behind the front one
        (measured: 6 KB every two seconds for a timer that does nothing).
        """
        if self._process_timer is not None:
            self._process_timer.pause()

    def _show_keys(self) -> None:
        """Show the current keys in the hints."""
        self.read_keys()
        keys = self.keys_in_force
        self.query_one(EmptyRun).keys = keys
        self.query_one(LogView).hint = f"{keys.get('run.log', '')} full size"

    def run_changed(self, events: Sequence[Event]) -> None:
        """Draw new events at a bounded rate."""
        self._throttle.request_draw(self, self.draw, events)

    def on_resize(self) -> None:
        """Lay out the rows for the new size."""
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """Give the view to each part and redraw it; a part sends only the cells that changed."""
        run = self.open_run
        if run is not self.drawn_run:
            self._show_run(run)
        self.set_class(run is None, "-empty")
        view = run.view if run is not None else RunView()
        head = self.query_one(RunHead)
        head.view, head.head = view, self.head
        for widget in self.query(ChartView):
            widget.view = view
        self.query_one(SwitchLine).view = view
        self.query_one(GuardView).view = view
        lay_out_rows(self, view)
        for canvas in (head, *self.query(ChartView), self.query_one(SwitchLine),
                       self.query_one(GuardView), self.query_one(LogView)):  # fmt: skip
            canvas.redraw()
        self.query_one(EmptyRun).redraw()
        self._refresh_keys()

    def _show_run(self, run: OpenRun | None) -> None:
        """Reset the log and the timeline for another run."""
        self.drawn_run = run
        self.query_one(LogView).open(run)
        self.query_one(SwitchLine).forget()
        self._check_process()

    # The run's process

    def _check_process(self) -> None:
        """Draw the result of the last check and check again; in a thread if that reads the disk."""
        run = self.open_run
        if run is None or run.view.ended is not None:
            return
        if run.source.own:
            run.read_liveness()
        else:
            self.run_worker(run.read_liveness, thread=True, exclusive=True, group="liveness")
        if run.alive != self.query_one(RunHead).head.alive:
            self.draw()

    def _refresh_keys(self) -> None:
        """Redraw the footer, but only if its keys change."""
        applicable = tuple(
            self.check_action(name, ())
            for name in (*HIDDEN_WHEN_ENDED, "resume", "playground", "export", "switch", "plot")
        )
        if applicable != self._applicable:
            self._applicable = applicable
            self.refresh_bindings()

    # Other screens

    def action_playground(self) -> None:
        """Query this run's model in the playground."""
        self.app.switch_mode("playground")

    def action_export(self) -> None:
        """Export the run's best weights for other software."""
        if self.open_run is not None:
            self.app.call_later(self.nexus.open_export, self.open_run.source.path)

    def action_compare(self) -> None:
        """Go to the comparison of runs."""
        self.app.switch_mode("compare")

    def action_new_run(self) -> None:
        """Show the form for a new run."""
        self.app.call_later(self.nexus.action_new_run)

    def action_back(self) -> None:
        """Return to the list of runs or the sweep from which the run was opened."""
        self.app.switch_mode("runs")

    def action_plot(self) -> None:
        """Show the metric of the focused chart, or the loss, at full size."""
        focused = self.focused
        self._plot(focused.metric if isinstance(focused, ChartView) else METRICS[0])

    def _plot(self, metric: Metric) -> None:
        self.app.push_screen(PlotScreen(metric=metric))

    def on_chart_view_opened(self, event: ChartView.Opened) -> None:
        """Show the chart's metric at full size."""
        self._plot(event.metric)

    def action_log(self) -> None:
        """Show the log at full size."""
        from nexus_tui.app.live.log import LogScreen

        self.app.push_screen(LogScreen())

    # Timeline and log

    def action_switch(self, step: int) -> None:
        """Select the next switch or the one before."""
        self.query_one(SwitchLine).choose(step)

    def action_switch_detail(self) -> None:
        """Show the selected switch, or the newest, in full."""
        from nexus_tui.app.live.switch_detail import SwitchDetail

        line = self.query_one(SwitchLine)
        if line.chosen is None:
            line.choose(1)
        if line.chosen is not None:
            self.app.push_screen(SwitchDetail(line=line))

    def on_switch_line_opened(self) -> None:
        """Show the switch in full."""
        self.action_switch_detail()

    def action_log_rows(self, rows: int) -> None:
        """Scroll the log, up where positive."""
        self.query_one(LogView).action_scroll_rows(rows)

    def action_log_page(self, pages: int) -> None:
        """Scroll the log by pages, up where positive."""
        self.query_one(LogView).action_scroll_page(pages)
