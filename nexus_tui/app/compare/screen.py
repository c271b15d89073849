"""Runs side by side: figures, curves, and whether their test scores differ significantly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.timer import Timer
from textual.worker import Worker, WorkerState, get_current_worker

from nexus_engine.metric_words import metric_name
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

Judge = Callable[[Sequence[Path], Callable[[float], None], Callable[[], bool]], Judgement | None]

PROGRESS_SECONDS = 0.5
HOW_TO_CHOOSE = "space marks a run, enter compares the marked runs"


class CompareScreen(NexusScreen):
    """The marked runs; with fewer than two, the list in which to mark them.

    `judge` computes the confidence intervals, in a worker thread.
    """

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
        Binding("b", "judge", "Test difference", id="compare.judge"),
        Binding("a", "choose", "Choose runs", id="compare.choose"),
        Binding("space", "mark", "Mark", show=False, id="compare.mark"),
        Binding("enter,c", "compare", "Compare", show=False, id="compare.show"),
        Binding("right,l", "sideways(1)", "Further runs", show=False, id="compare.right"),
        Binding("left,h", "sideways(-1)", "Earlier runs", show=False, id="compare.left"),
        Binding("down,j", "scroll(1)", "Down", show=False, id="compare.down"),
        Binding("up,k", "scroll(-1)", "Up", show=False, id="compare.up"),
        Binding("escape", "back", "Back", show=False, id="compare.back"),
    ]

    def __init__(self, *, judge: Judge = judge) -> None:
        super().__init__()
        self._judge = judge
        self._index = RunIndex(runs_root())
        self._records: tuple[RunRecord, ...] = ()
        self._first = 0
        self._top = 0
        self._choosing = False
        self._judgement: Judgement | None = None
        self._judged_paths: tuple[Path, ...] = ()
        self._progress_share: float | None = None
        self._redraw_timer: Timer | None = None

    def body(self) -> ComposeResult:
        """The list to choose from, or table and curves; a line of help."""
        yield RunList(letter_of=lambda path: letter(self.nexus.marked, path))
        with Container(id="both"):
            yield DrawnLines(self._draw_table, id="table")
            yield DrawnLines(self._draw_curves, id="curves")
        yield DrawnLines(self._draw_words, id="words")

    def on_screen_resume(self) -> None:
        """Come to the front: other runs may be marked now."""
        super().on_screen_resume()
        self._read_runs()

    def _read_runs(self) -> None:
        self.run_worker(self._index.refresh, thread=True, group="reading", exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show the runs that were read, or the judgement."""
        if event.worker.group == "reading" and event.state is WorkerState.SUCCESS:
            self._show_runs(event.worker.result or [])
        elif event.worker.group == "judge" and event.worker.is_finished:
            self._stop_ticking()
            if event.state is WorkerState.SUCCESS and event.worker.result is not None:
                self._judgement = event.worker.result
                self._top = 0  # the verdict stands at the top
            self._draw()

    def _show_runs(self, runs: Sequence[RunSummary]) -> None:
        known = {run.path for run in runs}
        self.nexus.marked = [path for path in self.nexus.marked if path in known]
        self.query_one(RunList).show_runs(runs)
        self._show_marked()

    def _show_marked(self) -> None:
        marked = tuple(self.nexus.marked)
        records = (self._index.record(path) for path in marked)
        self._records = tuple(record for record in records if record is not None)
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
        if not self._records:
            return []
        metric = self._records[0].summary.metric
        marked = list(zip(self._letters, self._records, strict=True))
        curves = [
            DevCurve(record.points, mark, styles[place % len(styles)])
            for place, (mark, record) in enumerate(marked)
            if record.summary.metric == metric
        ]
        others = [mark for mark, record in marked if record.summary.metric != metric]
        words = f"dev {metric_name(metric)} by epoch"
        if others:
            words += f", without {', '.join(others)}"
        title = Text(fitted(words, width, self.chart_style), style=palette.dim)
        return [
            title,
            *dev_curves(curves, width=width, height=height - 1, chart_style=self.chart_style),
        ]

    def _draw_words(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        palette = self.chart_style.palette
        judgement, share, style = self._judgement, self._progress_share, palette.dim
        if self.has_class("-choosing"):
            any_runs = bool(self.query_one(RunList).runs)
            words = HOW_TO_CHOOSE if any_runs else "no runs yet: 1, then n starts one"
        elif share is not None:
            what = "pairs"
            if self._records and self._records[0].summary.metric != "spearman":
                what = "questions and passages"
            words = f"embedding the test {what} with each run's weights: {share * 100:.0f} %"
        elif judgement is None:
            words = "j and k scroll; b checks whether the test scores truly differ"
        elif judgement.error:
            words, style = judgement.error, palette.warn
        else:
            words = "an interval that holds 0 shows no difference"
        return [Text(f" {fitted(words, width - 2, self.chart_style)}", style=style)]

    # Actions

    def action_choose(self) -> None:
        """Show the list, to mark other runs."""
        self._choosing = True
        self._show_marked()

    def action_mark(self) -> None:
        """Mark the run under the cursor, or unmark it."""
        run = self.query_one(RunList).current
        if run is None or not self.has_class("-choosing"):
            return
        if run.path in self.nexus.marked:
            self.nexus.marked.remove(run.path)
        else:
            self.nexus.marked.append(run.path)
        self.query_one(RunList).redraw()

    def action_compare(self) -> None:
        """Compare the marked runs."""
        if not self.has_class("-choosing"):
            return
        if len(self.nexus.marked) < 2:
            self.nexus.tell("mark two or more runs with Space")
            return
        self._choosing = False
        self._show_marked()

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
        """Scroll to runs that did not fit."""
        fits = columns_that_fit(self.query_one("#table", DrawnLines).size.width)
        self._first = max(0, min(self._first + step, len(self._records) - fits))
        self._draw()

    def action_scroll(self, step: int) -> None:
        """Scroll the table."""
        self._top = max(0, self._top + step)
        self.query_one("#table", DrawnLines).redraw()

    def action_judge(self) -> None:
        """Score the first run's test split with the weights of each run, in a thread."""
        if self.has_class("-choosing"):
            self.action_compare()  # compares the marked runs, or says that they are too few
        if self.has_class("-choosing"):
            return
        paths = self._judged_paths = tuple(record.summary.path for record in self._records)
        self._judgement, self._progress_share = None, 0.0

        def work() -> Judgement | None:
            worker = get_current_worker()
            return self._judge(paths, self._progress, lambda: worker.is_cancelled)

        self.run_worker(work, thread=True, group="judge", exclusive=True, exit_on_error=False)
        if self._redraw_timer is None:
            self._redraw_timer = self.set_interval(PROGRESS_SECONDS, self._draw)
        self._draw()

    def _progress(self, share: float) -> None:
        """Note the progress for the next redraw. Runs in the worker thread."""
        self._progress_share = share

    def _stop_ticking(self) -> None:
        self._progress_share = None
        if self._redraw_timer is not None:
            self._redraw_timer.stop()
            self._redraw_timer = None
