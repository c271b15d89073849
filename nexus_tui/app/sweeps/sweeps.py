"""Every sweep of this machine in a list, to be opened."""

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
    """The list of sweeps; without any, the command that begins one."""

    DEFAULT_CSS = """
    SweepsScreen #none { height: 1fr; display: none; }
    SweepsScreen.-empty #none { display: block; }
    SweepsScreen.-empty SweepList { display: none; }
    SweepsScreen #line { height: 1; }
    """
    AUTO_FOCUS = "SweepList"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="sweeps.back"),
        Binding("r", "refresh", "Look again", show=False, id="sweeps.refresh"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._index = SweepIndex(sweeps_root())
        self._all: Sequence[SweepSummary] | None = None

    def body(self) -> ComposeResult:
        """The list or the words instead of it, and a line of state."""
        yield SweepList()
        yield DrawnLines(self._none, id="none")
        yield DrawnLines(self._line, id="line")

    def read_disk(self) -> Sequence[SweepSummary]:
        """The sweeps that there are now."""
        return self._index.refresh()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A look at the folders is over."""
        if event.worker.group == READING and event.state is WorkerState.SUCCESS:
            found: Sequence[SweepSummary] = event.worker.result or []
            if found != self._all:
                self._all = found
                self.set_class(not found, "-empty")
                self.query_one(SweepList).show_sweeps(found)
                self.query_one("#none", DrawnLines).redraw()
                self.query_one("#line", DrawnLines).redraw()

    def _none(self, width: int, height: int) -> list[Text]:
        return no_sweeps(width=width, height=height, chart_style=self.chart_style)

    def _line(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        """How many sweeps there are and where."""
        if self._all is None:
            words = "reading the sweeps"
        else:
            live = sum(sweep.state == "live" for sweep in self._all)
            words = f"{count(len(self._all))} sweep{'' if len(self._all) == 1 else 's'}"
            words += f", {live} live" if live else ""
            words += f"; kept in {sweeps_root()}"
        return [
            Text(f" {fitted(words, width - 2, self.chart_style)}", self.chart_style.palette.dim)
        ]

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """Enter or a second click: open the sweep."""
        from nexus_tui.app.sweeps.sweep import SweepScreen

        self.app.push_screen(SweepScreen(self.query_one(SweepList).sweeps[event.index].path))

    def action_back(self) -> None:
        """Back to the runs."""
        self.dismiss()

    def action_refresh(self) -> None:
        """Look at the folders now."""
        self.read_now()
