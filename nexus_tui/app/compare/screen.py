"""Runs side by side: figures, curves over each other, and whether they truly differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.timer import Timer
from textual.worker import Worker, WorkerState, get_current_worker

from nexus_engine.runs.folder import runs_root
from nexus_engine.runs.index import RunIndex
from nexus_engine.runs.summary import RunRecord, RunSummary
from nexus_tui.app.kit.canvas import DrawnLines
from nexus_tui.app.kit.frame import NexusScreen
from nexus_tui.app.kit.run_list import RunList
from nexus_tui.charts.kit.fitting import fitted
from nexus_tui.charts.run.comparison import columns_that_fit, comparison
from nexus_tui.charts.run.dev_curves import DevCurve, dev_curves
from nexus_tui.charts.run.rows import letter
from nexus_tui.work.judging import Judgement, judge

__all__ = ["CompareScreen"]

PROGRESS_SECONDS = 0.5
CHOOSE = "space marks a run, enter compares those marked"


class CompareScreen(NexusScreen):
    """The marked runs; with fewer than two, the list to mark them on."""

    DEFAULT_CSS = """
    CompareScreen #both { height: 1fr; layout: vertical; padding: 0 1; }
    CompareScreen #table { height: 1fr; }
    CompareScreen #curves { height: 9; }
    CompareScreen.-short #curves { display: none; }
    CompareScreen.-wide #both { layout: horizontal; }
    CompareScreen.-wide #table { width: 3fr; height: 100%; }
    CompareScreen.-wide #curves { width: 2fr; height: 20; margin: 0 0 0 3; display: block; }
    CompareScreen #words { height: 1; }
    CompareScreen RunList { display: none; }
    CompareScreen.-choosing RunList { display: block; }
    CompareScreen.-choosing #both { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "judge", "Is it a difference?", id="compare.judge"),
        Binding("a", "choose", "Choose runs", id="compare.choose"),
        Binding("space", "mark", "Mark", show=False, id="compare.mark"),
        Binding("enter,c", "compare", "Compare", show=False, id="compare.show"),
        Binding("right,l", "sideways(1)", "Further runs", show=False, id="compare.right"),
        Binding("left,h", "sideways(-1)", "Earlier runs", show=False, id="compare.left"),
        Binding("down,j", "scroll(1)", "Down", show=False, id="compare.down"),
        Binding("up,k", "scroll(-1)", "Up", show=False, id="compare.up"),
        Binding("escape", "back", "Back", show=False, id="compare.back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._index = RunIndex(runs_root())
        self._records: tuple[RunRecord, ...] = ()
        self._first = 0
        self._top = 0
        self._choosing = False
        self._judgement: Judgement | None = None
        self._judged_paths: tuple[Path, ...] = ()
        self._done: float | None = None
        self._ticking: Timer | None = None

    def body(self) -> ComposeResult:
        """The list to choose from, or table and curves; a line of words."""
        yield RunList(letter_of=lambda path: letter(self.nexus.marked, path))
        with Container(id="both"):
            yield DrawnLines(self._draw_table, id="table")
            yield DrawnLines(self._draw_curves, id="curves")
        yield DrawnLines(self._draw_words, id="words")

    def on_screen_resume(self) -> None:
        """To the front: other runs may be marked now."""
        super().on_screen_resume()
        self._read_runs()

    def _read_runs(self) -> None:
        self.run_worker(self._index.refresh, thread=True, group="reading", exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """The folders were looked at, or the runs were judged."""
        if event.worker.group == "reading" and event.state is WorkerState.SUCCESS:
            self._have(event.worker.result or [])
        elif event.worker.group == "judge" and event.worker.is_finished:
            self._stop_ticking()
            if event.state is WorkerState.SUCCESS and event.worker.result is not None:
                self._judgement = event.worker.result
                self._top = 0  # the verdict stands at the top
            self._draw()

    def _have(self, runs: Sequence[RunSummary]) -> None:
        known = {run.path for run in runs}
        self.nexus.marked = [path for path in self.nexus.marked if path in known]
        self.query_one(RunList).show_runs(runs)
        self._take_marked()

    def _take_marked(self) -> None:
        marked = tuple(self.nexus.marked)
        found = [self._index.record(path) for path in marked]
        self._records = tuple(record for record in found if record is not None)
        if marked != self._judged_paths:
            self._judgement = None
            self.workers.cancel_group(self, "judge")
        choosing = self._choosing or len(self._records) < 2
        self.set_class(choosing, "-choosing")
        if choosing:
            self.query_one(RunList).focus()
        else:
            self.set_focus(None)
        self._first = min(self._first, max(0, len(self._records) - 1))
        self._draw()

    def _draw(self) -> None:
        for part in ("#table", "#curves", "#words"):
            self.query_one(part, DrawnLines).redraw()

    # Drawing

    @property
    def _letters(self) -> list[str]:
        return [letter(self.nexus.marked, record.summary.path) for record in self._records]

    def _draw_table(self, width: int, height: int) -> list[Text]:
        if not self._records:
            return []
        judgement = self._judgement
        lines = comparison(
            self._records,
            self._letters,
            first=self._first,
            width=width,
            chart_style=self.chart_style,
            judged=() if judgement is None else judgement.judged,
            judged_on="" if judgement is None else judgement.words,
        )
        self._top = max(0, min(self._top, len(lines) - height))
        return lines[self._top : self._top + height]

    def _draw_curves(self, width: int, height: int) -> list[Text]:
        palette = self.chart_style.palette
        styles = (palette.run, palette.control, palette.base, palette.good, palette.warn)
        curves = [
            DevCurve(record.points, mark, styles[place % len(styles)])
            for place, (mark, record) in enumerate(zip(self._letters, self._records, strict=True))
        ]
        if not curves:
            return []
        title = Text("dev Spearman by epoch", style=palette.dim)
        return [
            title,
            *dev_curves(curves, width=width, height=height - 1, chart_style=self.chart_style),
        ]

    def _draw_words(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        palette = self.chart_style.palette
        if self.has_class("-choosing"):
            words = CHOOSE if self.query_one(RunList).runs else "no runs yet: 1, then n starts one"
            return [Text(f" {fitted(words, width - 2, self.chart_style)}", style=palette.dim)]
        if self._done is not None:
            words = f"embedding the test pairs with each run's weights: {self._done * 100:.0f} %"
            return [Text(f" {fitted(words, width - 2, self.chart_style)}", style=palette.dim)]
        if self._judgement is not None and self._judgement.error:
            return [
                Text(
                    f" {fitted(self._judgement.error, width - 2, self.chart_style)}",
                    style=palette.warn,
                )
            ]
        words = "j and k scroll; b asks whether the test scores truly differ"
        if self._judgement is not None:
            words = "an interval that holds 0 shows no difference"
        return [Text(f" {fitted(words, width - 2, self.chart_style)}", style=palette.dim)]

    # Actions

    def action_choose(self) -> None:
        """The list, to mark other runs."""
        self._choosing = True
        self._take_marked()

    def action_mark(self) -> None:
        """Mark the run under the cursor, or take its mark away."""
        run = self.query_one(RunList).current
        if run is None or not self.has_class("-choosing"):
            return
        if run.path in self.nexus.marked:
            self.nexus.marked.remove(run.path)
        else:
            self.nexus.marked.append(run.path)
        self.query_one(RunList).redraw()

    def action_compare(self) -> None:
        """Compare what is marked."""
        if not self.has_class("-choosing"):
            return
        if len(self.nexus.marked) < 2:
            self.nexus.tell("mark two runs or more, with the space bar")
            return
        self._choosing = False
        self._take_marked()

    def on_run_list_chosen(self) -> None:
        """A second click on a run marks it."""
        self.action_mark()

    def action_back(self) -> None:
        """From the list back to the table, from the table to the runs."""
        if self._choosing and len(self._records) >= 2:
            self.action_compare()
        else:
            self.app.switch_mode("runs")

    def action_sideways(self, step: int) -> None:
        """Runs that did not fit beside the others."""
        fits = columns_that_fit(self.query_one("#table", DrawnLines).size.width)
        self._first = max(0, min(self._first + step, len(self._records) - fits))
        self._draw()

    def action_scroll(self, step: int) -> None:
        """Up or down the table."""
        self._top = max(0, self._top + step)
        self.query_one("#table", DrawnLines).redraw()

    def action_judge(self) -> None:
        """Embed the first run's test pairs with the weights of each, in a thread."""
        if self.has_class("-choosing"):
            self.action_compare()  # what is marked; it says so where that is too little
        if self.has_class("-choosing"):
            return
        paths = self._judged_paths = tuple(record.summary.path for record in self._records)
        self._judgement, self._done = None, 0.0

        def work() -> Judgement | None:
            worker = get_current_worker()
            return judge(paths, self._progress, lambda: worker.is_cancelled)

        self.run_worker(work, thread=True, group="judge", exclusive=True, exit_on_error=False)
        if self._ticking is None:
            self._ticking = self.set_interval(PROGRESS_SECONDS, self._draw)
        self._draw()

    def _progress(self, share: float) -> None:
        """From the worker thread: a number for the next drawing."""
        self._done = share

    def _stop_ticking(self) -> None:
        self._done = None
        if self._ticking is not None:
            self._ticking.stop()
            self._ticking = None
