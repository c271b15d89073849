"""One sweep: its grid as a heat map, and the details of the selected cell."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.worker import Worker, WorkerState

from nexus_engine.errors import one_line
from nexus_engine.sweeps.following import FollowedSweep
from nexus_engine.sweeps.view import CellView, SweepView, best_point, points, state_of
from nexus_tui.app.kit.canvas import DrawnLines
from nexus_tui.app.kit.dialogs import Choice, Question
from nexus_tui.app.kit.watching_screen import READING, WatchingScreen
from nexus_tui.app.sweeps.heat_view import HeatView
from nexus_tui.charts.kit.fitting import fitted
from nexus_tui.charts.sweep.heat_map import legend
from nexus_tui.charts.sweep.words import combination_lines, run_words, seed_order, sweep_head
from nexus_tui.words.formats import settings_words
from nexus_tui.words.lines import resume_sweep_command

__all__ = ["SweepScreen"]

CHOICE_KEYS = "123456789abcdefgimnopqrstuvwxyz"
"""Keys for the choice among the seeds of a cell, without j and k, which move the cursor."""


class SweepScreen(WatchingScreen):
    """The sweep in a folder; the screen follows it while a process works on it."""

    DEFAULT_CSS = """
    SweepScreen > #body { padding: 0 1; }
    SweepScreen #head { height: 2; }
    SweepScreen #both { height: 1fr; layout: vertical; margin: 1 0 0 0; }
    SweepScreen.-short #both { margin: 0; }
    SweepScreen #left { height: 1fr; }
    SweepScreen #details { height: 5; }
    SweepScreen.-short #details { height: 4; }
    SweepScreen.-tall #details { height: 10; }
    SweepScreen.-wide #both { layout: horizontal; }
    SweepScreen.-wide #left { width: 1fr; }
    SweepScreen.-wide #details { width: 44; height: 100%; margin: 0 0 0 3; }
    """
    READ_SECONDS = 1.0
    AUTO_FOCUS = "HeatView"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "best", "Best", id="sweep.best"),
        Binding("escape", "back", "Back", id="sweep.back"),
    ]

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._followed = FollowedSweep(path)
        self._view: SweepView | None = None
        self._error = ""

    def body(self) -> ComposeResult:
        """Head, heat map, legend, details."""
        yield DrawnLines(self._draw_head, id="head")
        with Container(id="both"):
            with Container(id="left"):
                yield HeatView()
                yield DrawnLines(self._draw_legend, id="legend")
            yield DrawnLines(self._draw_details, id="details")

    # Following

    def read_disk(self) -> SweepView:
        """The current state of the sweep."""
        return self._followed.look()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Draw what a reading changed."""
        if event.worker.group != READING or not event.worker.is_finished:
            return
        view, error = self._view, self._error
        if event.state is WorkerState.SUCCESS:
            view, error = event.worker.result, ""
        elif event.state is WorkerState.ERROR:
            error = f"the sweep cannot be read: {one_line(event.worker.error, 300)}"
        if view is not self._view or error != self._error:
            first = self._view is None
            self._view, self._error = view, error
            self._draw()
            if first:
                self.action_best(tell=False)

    def _draw(self) -> None:
        view = self._view
        if view is not None:
            self.query_one("#head").styles.height = 3 if self._command else 2
            self.query_one(HeatView).show(view)
        for part in ("#head", "#legend", "#details"):
            self.query_one(part, DrawnLines).redraw()

    @property
    def _command(self) -> str:
        """The command that resumes the sweep; empty while it is live and once it is finished."""
        view = self._view
        if view is None or state_of(view) not in ("stopped", "failed"):
            return ""
        return resume_sweep_command(view.name, view.path)

    # Drawing

    def _draw_head(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        palette = self.chart_style.palette
        if self._view is None or self._error:
            status = self._error or "reading the sweep"
            style = palette.bad if self._error else palette.dim
            return [Text(fitted(status, width, self.chart_style), style)]
        return sweep_head(self._view, width, self.chart_style, self._command)

    def _draw_legend(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        cells = self.query_one(HeatView).cells
        return [legend(cells, width=width, chart_style=self.chart_style)] if cells else []

    def _draw_details(self, width: int, height: int) -> list[Text]:
        view = self._view
        if view is None:
            return []
        number = self.query_one(HeatView).point
        point = next((point for point in points(view.cells) if point.point == number), None)
        if point is None:
            return []
        rule = [Text(self.chart_style.glyphs.line * width, self.chart_style.palette.axis)]
        if self.has_class("-short") or self.has_class("-wide"):
            rule = []
        return [*rule, *combination_lines(view, point, width=width, height=height - len(rule),
                                          chart_style=self.chart_style)]  # fmt: skip

    # The selected cell

    def on_heat_view_moved(self) -> None:
        """Show the details of the selected cell."""
        self.query_one("#details", DrawnLines).redraw()

    def on_heat_view_opened(self) -> None:
        """Open the run of the cell; if it has several, ask which, the best finished one first."""
        runs = self._runs
        begun = seed_order(runs)
        if not begun:
            self.nexus.tell("no run of this cell has begun yet")
        elif len(begun) == 1:
            self._open(begun[0])
        else:
            offered = begun[: len(CHOICE_KEYS)]
            choices = [
                Choice(key, run_words(run), run.cell.name)
                for key, run in zip(CHOICE_KEYS, offered, strict=False)
            ]

            def answered(answer: str | None) -> None:
                for run in offered:
                    if run.cell.name == answer:
                        self._open(run)

            self.app.push_screen(Question(f"{self._settings(runs[0])}: which run?", choices),
                                   answered)  # fmt: skip

    @property
    def _runs(self) -> list[CellView]:
        """The runs of the selected cell."""
        if self._view is None:
            return []
        point = self.query_one(HeatView).point
        return [cell for cell in self._view.cells if cell.cell.point == point]

    def _settings(self, run: CellView) -> str:
        names = [axis.name for axis in self._view.axes] if self._view is not None else []
        return settings_words(list(zip(names, run.cell.values, strict=True))) or "this sweep"

    def _open(self, run: CellView) -> None:
        self.nexus.open_folder(Path(run.run_dir))

    # Actions

    def action_best(self, *, tell: bool = True) -> None:
        """Select the best cell."""
        best = None if self._view is None else best_point(points(self._view.cells))
        if best is not None:
            self.query_one(HeatView).choose(best.point)
        elif tell:
            self.nexus.tell("no run has finished yet")

    def action_back(self) -> None:
        """Return to the list of sweeps."""
        self.dismiss()
