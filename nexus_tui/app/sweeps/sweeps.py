"""The list of all sweeps of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.worker import Worker, WorkerState

from nexus_engine.sweeps.folder import sweeps_root
from nexus_engine.sweeps.following import SweepIndex, SweepSummary
from nexus_tui.app.kit.canvas import DrawnLines
from nexus_tui.app.kit.rows import Rows
from nexus_tui.app.kit.watching_screen import READING, WatchingScreen
from nexus_tui.app.sweeps.sweep_list import SweepList
from nexus_tui.charts.kit.fitting import fitted
from nexus_tui.charts.sweep.rows import no_sweeps
from nexus_tui.words.formats import count

__all__ = ["SweepsScreen"]


class SweepsScreen(WatchingScreen):
    """The list of sweeps; if there are none, the command that starts one."""

    DEFAULT_CSS = """
    SweepsScreen #none { height: 1fr; display: none; }
    SweepsScreen.-empty #none { display: block; }
    SweepsScreen.-empty SweepList { display: none; }
    SweepsScreen #line { height: 1; }
    """
    AUTO_FOCUS = "SweepList"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="sweeps.back"),
        Binding("r", "refresh", "Refresh", show=False, id="sweeps.refresh"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._index = SweepIndex(sweeps_root())
        self._all: Sequence[SweepSummary] | None = None

    def body(self) -> ComposeResult:
        """The list or the hint instead of it, and a status line."""
        yield SweepList()
        yield DrawnLines(self._none, id="none")
        yield DrawnLines(self._line, id="line")

    def read_disk(self) -> Sequence[SweepSummary]:
        """The current sweeps."""
        return self._index.refresh()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Draw what a reading changed."""
        if event.worker.group == READING and event.state is WorkerState.SUCCESS:
            sweeps: Sequence[SweepSummary] = event.worker.result or []
            if sweeps != self._all:
                self._all = sweeps
                self.set_class(not sweeps, "-empty")
                self.query_one(SweepList).show_sweeps(sweeps)
                self.query_one("#none", DrawnLines).redraw()
                self.query_one("#line", DrawnLines).redraw()

    def _none(self, width: int, height: int) -> list[Text]:
        return no_sweeps(width=width, height=height, chart_style=self.chart_style)

    def _line(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        """The number of sweeps and their folder."""
        if self._all is None:
            status = "reading the sweeps"
        else:
            live = sum(sweep.state == "live" for sweep in self._all)
            status = f"{count(len(self._all))} sweep{'' if len(self._all) == 1 else 's'}"
            status += f", {live} live" if live else ""
            status += f"; kept in {sweeps_root()}"
        return [
            Text(f" {fitted(status, width - 2, self.chart_style)}", self.chart_style.palette.dim)
        ]

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """Open the sweep."""
        from nexus_tui.app.sweeps.sweep import SweepScreen

        self.app.push_screen(SweepScreen(self.query_one(SweepList).sweeps[event.index].path))

    def action_back(self) -> None:
        """Return to the list of runs."""
        self.dismiss()

    def action_refresh(self) -> None:
        """Read the folders now."""
        self.read_now()
