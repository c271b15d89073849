"""The live screen: one run as it trains, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from textual import events as textual_events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.timer import Timer

from nexus_engine.config import Settings
from nexus_engine.errors import NexusError, one_line
from nexus_engine.events import Event, RunFinished
from nexus_engine.runs.requests import Ask
from nexus_engine.runs.run_view import RunView
from nexus_tui.app.kit.declared_keys import declared_keys
from nexus_tui.app.kit.dialogs import Choice, Question
from nexus_tui.app.kit.frame import NexusScreen
from nexus_tui.app.kit.pace import Pace
from nexus_tui.app.live.asking import QUESTIONS, answered_by
from nexus_tui.app.live.chart_view import ChartView
from nexus_tui.app.live.empty_run import EmptyRun
from nexus_tui.app.live.guard_view import GuardView
from nexus_tui.app.live.log_view import LogView
from nexus_tui.app.live.plot import PlotScreen
from nexus_tui.app.live.run_head import RunHead
from nexus_tui.app.live.steps import HIDDEN_WHEN_ENDED, why_not
from nexus_tui.app.live.switch_line import SwitchLine
from nexus_tui.app.open_run import OpenRun
from nexus_tui.app.run_sources import SessionRun
from nexus_tui.charts.run.heading import Head
from nexus_tui.charts.run.metrics import METRICS, Metric
from nexus_tui.charts.run.row_shares import rooms

__all__ = ["LiveScreen"]

LOOK_SECONDS = 2.0
"""Between two looks whether the process of an unended run is still there."""
SIDE_BY_SIDE = 110, 34
"""Columns and rows from which on the screen has two columns."""


class LiveScreen(NexusScreen):
    """Shows `nexus.open_run`, steers it, and goes on to what comes after it."""

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
    LiveScreen.-columns #charts > #loss, LiveScreen.-columns #charts > #spearman {
        margin: 0 0 1 0;
    }
    """
    AUTO_FOCUS = "SwitchLine"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "Pause", id="run.pause"),
        Binding("s", "stop", "Stop", id="run.stop"),
        Binding("g", "grow", "Grow", id="run.grow"),
        Binding("b", "roll_back", "Roll back", id="run.roll_back"),
        Binding("u", "resume", "Resume", id="run.resume"),
        Binding("t", "playground", "Try", id="run.playground"),
        Binding("c", "compare", "Compare", show=False, id="run.compare"),
        Binding("n", "new_run", "New run", show=False, id="run.new"),
        Binding("f", "plot", "Plot", id="run.plot"),
        Binding("escape", "back", "Back to the list", show=False, id="run.back"),
        Binding("o", "log", "Log", show=False, id="run.log"),
        Binding("right,l", "switch(1)", "Next switch", show=False, id="run.switch_next"),
        Binding("left,h", "switch(-1)", "Switch before", show=False, id="run.switch_prev"),
        Binding("enter", "switch_detail", "Switch in full", show=False, id="run.switch_detail"),
        Binding("j,down", "log_rows(-1)", "Log down", show=False, id="run.log_down"),
        Binding("k,up", "log_rows(1)", "Log up", show=False, id="run.log_up"),
        Binding("pagedown", "log_page(-1)", "Log page down", show=False, id="run.log_page_down"),
        Binding("pageup", "log_page(1)", "Log page up", show=False, id="run.log_page_up"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._pace = Pace()
        self._run: OpenRun | None = None
        self._asked: Ask | None = None
        self._alive = True
        self._seen: tuple[OpenRun, bool] | None = None
        self._possible: tuple[object, ...] = ()
        self._keys: Mapping[str, str] = {}
        self._looking: Timer | None = None

    # Picture

    def body(self) -> ComposeResult:
        """Head, charts, timeline, guard, log; or what to do while no run is open."""
        yield RunHead()
        with Container(id="main"):
            with Container(id="left"):
                with Container(id="charts"):
                    yield ChartView(metric=METRICS[0], id="loss")
                    yield ChartView(metric=METRICS[1], id="spearman")
                yield SwitchLine()
            with Container(id="right"):
                yield GuardView()
                yield LogView()
        yield EmptyRun()

    def on_mount(self) -> None:
        """Begin to look after the run's process."""
        self._looking = self.set_interval(LOOK_SECONDS, self._look)
        self._read_keys()
        self._draw()

    def on_screen_resume(self) -> None:
        """Come to the front: the keys may have changed."""
        if self._looking is not None:
            self._looking.resume()
        if self.is_mounted:
            self._read_keys()
        super().on_screen_resume()

    def on_screen_suspend(self) -> None:
        """Rest while another screen is in front.

        Textual paints the whole window anew for each message that a screen below the front one gets
        (measured: 6 KB every two seconds for a timer that does nothing).
        """
        if self._looking is not None:
            self._looking.pause()

    def _read_keys(self) -> None:
        """The key in force of each action, by its ID."""
        keys: dict[str, str] = {}
        for holder in (self, self.app):
            for binding in declared_keys(holder, self.nexus.settings.keys):
                if binding.id:
                    keys.setdefault(binding.id, self.app.get_key_display(binding))
        self._keys = keys
        self.query_one(EmptyRun).keys = keys
        self.query_one(LogView).hint = f"{keys.get('run.log', '')} full size"

    @property
    def head(self) -> Head:
        """What the head says beside the view."""
        run = self._run
        if run is None:
            return Head(name="")
        source = run.source
        return Head(
            name=source.name,
            alive=self._alive,
            asked=self._asked,
            dropped_steps=source.dropped_steps,
            starting=isinstance(source, SessionRun) and source.starting,
            keys=self._keys,
        )

    def run_changed(self, events: Sequence[Event]) -> None:
        """Take note of what was done, and draw at a bounded pace."""
        if self._asked is not None and answered_by(self._asked, events):
            self._asked = None
        self._pace.ask(self, self._draw, events)

    def on_resize(self) -> None:
        """Share out the rows anew."""
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        run = self.nexus.open_run
        if run is not self._run:
            self._opened(run)
        self.set_class(run is None, "-empty")
        view = run.view if run is not None else RunView()
        head = self.query_one(RunHead)
        head.view, head.head = view, self.head
        for widget in self.query(ChartView):
            widget.view = view
        self.query_one(SwitchLine).view = view
        self.query_one(GuardView).view = view
        self._share_out(view)
        for canvas in (head, *self.query(ChartView), self.query_one(SwitchLine),
                       self.query_one(GuardView), self.query_one(LogView)):  # fmt: skip
            canvas.redraw()
        self.query_one(EmptyRun).redraw()
        self._refresh_keys()

    def _opened(self, run: OpenRun | None) -> None:
        """Another run is shown."""
        self._run, self._asked, self._alive, self._seen = run, None, True, None
        self.query_one(LogView).open(run)
        self.query_one(SwitchLine).forget()
        self._look()

    def _share_out(self, view: RunView) -> None:
        """Give each part its rows."""
        width, height = self.size.width - 2, self.size.height - 2
        wide, tall = SIDE_BY_SIDE
        columns = self.size.width >= wide and self.size.height >= tall
        self.set_class(columns, "-columns")
        head = self.query_one(RunHead)
        rows = len(head.lines_for(max(1, width)))
        head.styles.height = rows
        ended = isinstance(view.ended, RunFinished)
        room = rooms(height, rows, ended=ended)
        charts, line = self.query_one("#charts"), self.query_one(SwitchLine)
        guard, log = self.query_one(GuardView), self.query_one(LogView)
        self.query_one("#main").styles.margin = (1 if columns else room.gap, 0, 0, 0)
        charts.styles.height = "1fr" if columns else room.charts
        line.display = columns or room.timeline > 0
        line.styles.margin = (0 if columns else room.timeline_gap, 0, 0, 0)
        guard.display = columns or room.guard > 0
        guard.styles.height = 4 if columns else 1
        guard.styles.margin = (0, 0, 1, 0) if columns else (room.guard_gap, 0, 0, 0)
        log.display = columns or room.log > 0
        log.styles.height = "1fr" if columns else room.log
        log.styles.margin = (0 if columns or room.guard else room.guard_gap, 0, 0, 0)

    # Whether the run's process is there

    def _look(self) -> None:
        """Take note of what the last look found, and look again, in a thread where it reads."""
        run = self._run
        if run is None or run.view.ended is not None:
            return
        if run.source.own:
            alive = run.source.live()
        else:
            seen = self._seen
            alive = seen[1] if seen is not None and seen[0] is run else self._alive
            self.run_worker(
                lambda: self._look_at(run), thread=True, exclusive=True, group="liveness"
            )
        if alive != self._alive:
            self._alive = alive
            self._draw()

    def _look_at(self, run: OpenRun) -> None:
        """In a thread: read whether the process lives. The next look takes the answer."""
        try:
            alive = run.source.live()
        except (NexusError, OSError):
            alive = False
        self._seen = (run, alive)

    # What can be done

    def _why_not(self, action: str) -> str | None:
        run = self._run
        view = run.view if run is not None else None
        return why_not(action, view, self.head, training=self.nexus.training)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """An action that does not apply is greyed; one that never will again is hidden."""
        if self._why_not(action) is None:
            return True
        run = self._run
        if run is None or action in ("resume", "switch", "switch_detail"):
            return False
        over = run.view.ended is not None or not self._alive
        if action == "playground":
            return None
        return False if over and action in HIDDEN_WHEN_ENDED else None

    def _refresh_keys(self) -> None:
        """Have the footer drawn anew, only when something in it changes."""
        possible = tuple(
            self.check_action(name, ())
            for name in (*HIDDEN_WHEN_ENDED, "resume", "playground", "switch", "plot")
        )
        if possible != self._possible:
            self._possible = possible
            self.refresh_bindings()

    def on_key(self, event: textual_events.Key) -> None:
        """A key whose action does not apply now says why."""
        for binding in declared_keys(self, self.nexus.settings.keys):
            reason = self._why_not(binding.action.partition("(")[0])
            if binding.key == event.key and reason is not None:
                event.stop()
                self.nexus.tell(f"{binding.description}: {reason}", "warning")
                return

    # Steering

    def _ask(self, ask: Ask) -> None:
        run = self._run
        if run is None:
            return
        try:
            run.source.ask(ask)
        except OSError as error:
            self.nexus.tell(f"the run's folder cannot be written: {error.strerror}", "error")
            return
        self._asked = ask
        self._draw()

    def _ask_after_question(self, ask: Ask) -> None:
        question, yes, no = QUESTIONS[ask]
        choices = (Choice("y", yes, "yes"), Choice("n", no, "no"))

        def answered(answer: str | None) -> None:
            if answer != "yes":
                return
            reason = self._why_not(ask)  # the run went on while the question stood
            if reason is None:
                self._ask(ask)
            else:
                self.nexus.tell(reason, "warning")

        self.app.push_screen(Question(question, choices), answered)

    def action_pause(self) -> None:
        """Pause the run before its next step, or let it go on."""
        run = self._run
        paused = run is not None and (run.view.paused or self._asked == "pause")
        self._ask("resume" if paused else "pause")

    def action_stop(self) -> None:
        """Stop the run with a checkpoint, after a question."""
        self._ask_after_question("stop")

    def action_grow(self) -> None:
        """Grow a set now, after a question."""
        self._ask_after_question("grow")

    def action_roll_back(self) -> None:
        """Roll back the set on trial, after a question."""
        self._ask_after_question("roll_back")

    def action_resume(self) -> None:
        """Go on with a run that was stopped, has failed or was cut off, in this app."""
        run = self._run
        if run is None:
            return
        path = run.source.path
        self.run_worker(
            lambda: self._resume(str(path)), thread=True, exclusive=True, group="resume"
        )

    def _resume(self, asked: str) -> None:
        """In a thread: read the run's settings."""
        from nexus_engine.runs.resuming import resumable

        try:
            folder, settings = resumable(asked)
        except (NexusError, OSError) as error:
            self.app.call_from_thread(self.nexus.tell, one_line(error, 300), "error")
            return
        self.app.call_from_thread(self._go_on, settings, folder.path)

    def _go_on(self, settings: Settings, path: Path) -> None:
        self.nexus.start_training(settings, resume=path)

    # Elsewhere

    def action_playground(self) -> None:
        """Try this run on sentences."""
        self.app.switch_mode("playground")

    def action_compare(self) -> None:
        """Compare runs."""
        self.app.switch_mode("compare")

    def action_new_run(self) -> None:
        """To the list of runs, where a new one begins."""
        self.app.switch_mode("runs")

    def action_back(self) -> None:
        """To where the run was opened: the list of runs, or a sweep."""
        self.app.switch_mode("runs")

    def action_plot(self) -> None:
        """The metric of the chart that has the focus, or the loss, at full size."""
        focused = self.focused
        self._plot(focused.metric if isinstance(focused, ChartView) else METRICS[0])

    def _plot(self, metric: Metric) -> None:
        self.app.push_screen(PlotScreen(metric=metric))

    def on_chart_view_opened(self, event: ChartView.Opened) -> None:
        """A chart was opened."""
        self._plot(event.metric)

    def action_log(self) -> None:
        """The log at full size."""
        from nexus_tui.app.live.log import LogScreen

        self.app.push_screen(LogScreen())

    # Timeline and log

    def action_switch(self, step: int) -> None:
        """Pick the next switch or the one before."""
        self.query_one(SwitchLine).choose(step)

    def action_switch_detail(self) -> None:
        """The switch that is picked out, or the newest, in full."""
        from nexus_tui.app.live.switch_detail import SwitchDetail

        line = self.query_one(SwitchLine)
        if line.chosen is None:
            line.choose(1)
        if line.chosen is not None:
            self.app.push_screen(SwitchDetail(line=line))

    def on_switch_line_opened(self) -> None:
        """A switch was opened."""
        self.action_switch_detail()

    def action_log_rows(self, rows: int) -> None:
        """Scroll the log, up where positive."""
        self.query_one(LogView).action_scroll_rows(rows)

    def action_log_page(self, pages: int) -> None:
        """Scroll the log by pages, up where positive."""
        self.query_one(LogView).action_scroll_page(pages)
