"""The home screen: all runs of this machine, to open, compare, export, query, resume and remove."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input
from textual.worker import Worker, WorkerState, get_current_worker

from nexus_engine.errors import NexusError, one_line
from nexus_engine.runs.folder import remove_run, runs_root
from nexus_engine.runs.index import RunIndex
from nexus_engine.runs.summary import RunSummary
from nexus_tui.app.kit.canvas import DrawnLines
from nexus_tui.app.kit.dialogs import Choice, Question
from nexus_tui.app.kit.run_list import RunList
from nexus_tui.app.kit.text_input import PlainInput
from nexus_tui.app.kit.watching_screen import READING, WatchingScreen
from nexus_tui.charts.kit.fitting import fitted
from nexus_tui.charts.run.details import run_details
from nexus_tui.charts.run.rows import letter, matches
from nexus_tui.charts.run.welcome import welcome
from nexus_tui.words.forecasting import Forecasted, forecast_words
from nexus_tui.words.formats import count
from nexus_tui.words.metrics import lead_name

__all__ = ["RunsScreen"]

RESUMABLE = ("stopped", "failed", "interrupted")


class RunsScreen(WatchingScreen):
    """The list of runs, with the details of the current one if there is room."""

    DEFAULT_CSS = """
    RunsScreen #details { height: 11; display: none; padding: 0 1; }
    RunsScreen.-tall #details { display: block; }
    RunsScreen #welcome { height: 1fr; display: none; }
    RunsScreen.-empty #welcome { display: block; }
    RunsScreen.-empty RunList, RunsScreen.-empty #details { display: none; }
    RunsScreen #filter { display: none; margin: 0 1; }
    RunsScreen.-filtering #filter { display: block; }
    RunsScreen #line { height: 1; }
    """
    AUTO_FOCUS = "RunList"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", key_display="enter", id="runs.open"),
        Binding("n", "new", "New", id="runs.new"),
        Binding("slash", "filter", "Filter", key_display="/", id="runs.filter"),
        Binding("c", "compare", "Compare", id="runs.compare"),
        Binding("space", "mark", "Mark", show=False, id="runs.mark"),
        Binding("e", "export", "Export", id="runs.export"),
        Binding("p", "playground", "Query", id="runs.playground"),
        Binding("t", "app.switch_mode('teach')", "Teach", id="runs.teach"),
        Binding("u", "resume", "Resume", id="runs.resume"),
        Binding("s", "app.sweeps", "Sweeps", id="runs.sweeps"),
        Binding("d", "remove", "Remove", show=False, id="runs.remove"),
        Binding("r", "refresh", "Refresh", show=False, id="runs.refresh"),
        Binding("escape", "clear", "Clear filter and marks", show=False, id="runs.clear"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._index = RunIndex(runs_root())
        self._all: Sequence[RunSummary] | None = None
        self._filter = ""
        self._forecast = ""
        """The forecast for the demo set, as the welcome shows it."""

    def body(self) -> ComposeResult:
        """The list or the welcome, the details, the filter, and a status line."""
        yield RunList(letter_of=lambda path: letter(self.nexus.marked, path))
        yield DrawnLines(self._welcome, id="welcome")
        yield DrawnLines(self._details, id="details")
        yield PlainInput(placeholder="name, data, regime or state", id="filter")
        yield DrawnLines(self._line, id="line")

    # Reading

    def read_disk(self) -> Sequence[RunSummary]:
        """The current runs."""
        return self._index.refresh()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show the result of a worker: a reading, a removal or a forecast."""
        if event.worker.group == READING and event.state is WorkerState.SUCCESS:
            self._show_runs(event.worker.result or [])
        elif event.worker.group == "remove" and event.worker.is_finished:
            if event.state is WorkerState.SUCCESS and event.worker.result:
                self.nexus.tell(event.worker.result, "warning")
            self.read_now()
        elif event.worker.group == "demo" and event.state is WorkerState.SUCCESS:
            forecast: Forecasted | None = event.worker.result
            if forecast is None:  # cancelled by leaving this screen; it is measured on return
                self._forecast = ""
            elif forecast.figures is None:
                self._forecast = f"no forecast: {forecast.error}"
            else:
                self._forecast = f"the demo takes {forecast_words(forecast.figures)}"
            self.query_one("#welcome", DrawnLines).redraw()

    def _show_runs(self, runs: Sequence[RunSummary]) -> None:
        changed = self._all is None or self._all != runs
        self._all = runs
        paths = {run.path for run in runs}
        self.nexus.marked = [path for path in self.nexus.marked if path in paths]
        self.set_class(not runs, "-empty")
        if changed:
            self._apply_filter()
        if not runs and not self._forecast and self.nexus.may_probe:
            self._forecast = "measuring how long the demo takes here ..."
            self.query_one("#welcome", DrawnLines).redraw()
            self.run_worker(self._probe_demo, thread=True, group="demo", exit_on_error=False)

    def _probe_demo(self) -> Forecasted | None:
        worker = get_current_worker()
        return self.nexus.probe(
            ["--data", "demo"],
            lambda: worker.is_cancelled or bool(self._all) or not self.is_current,
        )

    def _apply_filter(self) -> None:
        """List the runs that match the filter."""
        runs = [run for run in self._all or () if matches(run, self._filter)]
        self.query_one(RunList).show_runs(runs)
        self._draw_around()

    def _draw_around(self) -> None:
        self.query_one("#line", DrawnLines).redraw()
        self.query_one("#details", DrawnLines).redraw()

    # Drawing

    def _welcome(self, width: int, height: int) -> list[Text]:
        return welcome(self._forecast, width=width, height=height, chart_style=self.chart_style)

    def _details(self, width: int, height: int) -> list[Text]:
        run = self.query_one(RunList).current
        record = None if run is None else self._index.record(run.path)
        if record is None:
            return []
        rule = Text(self.chart_style.glyphs.line * width, style=self.chart_style.palette.axis)
        return [
            rule,
            *run_details(record, width=width, height=height - 1, chart_style=self.chart_style),
        ]

    def _line(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        """The number of runs, and what marks and filter do now."""
        palette = self.chart_style.palette
        if self._all is None:
            return [Text(" reading the runs", style=palette.dim)]
        if not self._all:
            status = fitted(f"runs are kept in {runs_root()}", width - 2, self.chart_style)
            return [Text(f" {status}", style=palette.dim)]
        listed = len(self.query_one(RunList).runs)
        live = sum(run.state == "live" for run in self._all)
        status = f"{count(len(self._all))} run{'s' if len(self._all) > 1 else ''}"
        status += f", {live} live" if live else ""
        if self._filter:
            status = f"{count(listed)} of {count(len(self._all))} match; escape shows all"
        letters = [letter(self.nexus.marked, path) for path in self.nexus.marked]
        if len(letters) == 1:
            status += "; A is marked, c on another run compares"
        elif letters:
            status += f"; {', '.join(letters)} marked, c compares them"
        style = palette.control if letters else palette.dim
        return [Text(f" {fitted(status, width - 2, self.chart_style)}", style=style)]

    # Messages of the list and the filter

    def on_run_list_moved(self) -> None:
        """Show the details of the run under the cursor."""
        self._draw_around()

    def on_run_list_chosen(self) -> None:
        """Open the run on a second click."""
        self.action_open()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Apply the filter as you type."""
        self._filter = event.value
        self._apply_filter()

    def on_input_submitted(self) -> None:
        """Keep the filter and focus the list."""
        self._leave_filter()

    def _leave_filter(self) -> None:
        self.set_class(bool(self._filter), "-filtering")
        self.query_one(RunList).focus()

    # Actions

    @property
    def current(self) -> RunSummary | None:
        """The run under the cursor; tells the user if there is none."""
        run = self.query_one(RunList).current
        if run is None:
            self.nexus.tell("no run is listed; n starts a new one")
        return run

    def action_open(self) -> None:
        """Show the run on the live screen."""
        run = self.current
        if run is not None:
            self.nexus.open_folder(run.path)

    def action_new(self) -> None:
        """Show the form for a new run."""
        self.app.call_later(self.nexus.action_new_run)

    def action_filter(self) -> None:
        """Show the filter and focus it."""
        self.add_class("-filtering")
        self.query_one("#filter", PlainInput).focus()

    def action_clear(self) -> None:
        """Clear the filter; without one, clear the marks."""
        field = self.query_one("#filter", PlainInput)
        if self._filter or field.has_focus:
            field.value = ""
            self._filter = ""
        else:
            self.nexus.marked = []
        self.remove_class("-filtering")
        self.query_one(RunList).focus()
        self._apply_filter()

    def action_mark(self) -> None:
        """Mark the run for comparison, or remove its mark."""
        run = self.current
        if run is None:
            return
        if run.path in self.nexus.marked:
            self.nexus.marked.remove(run.path)
        else:
            self.nexus.marked.append(run.path)
        self.query_one(RunList).redraw()
        self._draw_around()

    def action_compare(self) -> None:
        """Mark this run if fewer than two are marked; compare once two are."""
        run = self.current
        if run is None:
            return
        marked = self.nexus.marked
        if len(marked) < 2 and run.path not in marked:
            marked.append(run.path)
        if len(marked) >= 2:
            self.app.switch_mode("compare")
            return
        self.query_one(RunList).redraw()
        self._draw_around()

    def action_resume(self) -> None:
        """Resume a run that was stopped, failed or was interrupted, in this app."""
        run = self.current
        if run is None:
            return
        if run.state not in RESUMABLE:
            self.nexus.tell(f"{run.name} is {run.state}: there is nothing to resume")
            return
        from nexus_engine.runs.resuming import resumable

        try:
            folder, settings = resumable(str(run.path))
        except NexusError as error:
            self.nexus.tell(str(error), "error")
            return
        self.nexus.start_training(settings, resume=folder.path)

    def action_playground(self) -> None:
        """Query the run's model in the playground."""
        run = self.current
        if run is not None:
            self.nexus.pointed_run = str(run.path)
            self.nexus.open_folder(run.path, show=False)
            self.app.switch_mode("playground")

    def action_export(self) -> None:
        """Export the run's best weights for other software."""
        run = self.current
        if run is None:
            return
        if run.state == "live":
            self.nexus.tell(f"{run.name} is live: export it once it has ended", "warning")
            return
        self.app.call_later(self.nexus.open_export, run.path)

    def action_refresh(self) -> None:
        """Read the folders now."""
        self.read_now()

    def action_remove(self) -> None:
        """Delete the run's folder after a question."""
        run = self.current
        if run is None:
            return
        if run.state == "live":
            self.nexus.tell(f"{run.name} is live: stop it before you remove it", "warning")
            return
        best = "" if run.best_dev is None else f" (dev {lead_name(run.metric)}{run.best_dev:.4f})"
        question = (
            f"Remove {one_line(run.name, 100)}? Its weights{best}, checkpoints and log are "
            "deleted from the disk. This cannot be undone."
        )
        choices = (Choice("r", "remove it", "remove"), Choice("k", "keep it", "keep"))

        def answered(answer: str | None) -> None:
            if answer == "remove":
                self.run_worker(
                    lambda: _remove(run.path), thread=True, group="remove", exit_on_error=False
                )

        self.app.push_screen(Question(question, choices), answered)


def _remove(path: Path) -> str:
    """Delete the run in `path`; an error message, or an empty string."""
    try:
        remove_run(str(path))
    except (NexusError, OSError) as error:
        return one_line(error, 300)
    return ""
