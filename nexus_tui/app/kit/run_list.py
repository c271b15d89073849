"""A list of runs of any length: only the lines that are seen are drawn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from nexus_engine.runs.summary import RunSummary
from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.charts.run.rows import columns_for, header_line, run_line

__all__ = ["RunList"]

WHEEL_LINES = 3


class RunList(Canvas, can_focus=True):
    """Runs under a header, with a cursor. The first line is the header, the last column a bar.

    `letter_of` gives the letter of a run that is marked for comparison.
    """

    DEFAULT_CSS = "RunList { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False, id="list.down"),
        Binding("up,k", "move(-1)", "Up", show=False, id="list.up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="list.page_down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="list.page_up"),
        Binding("home,g", "to_end(-1)", "First", show=False, id="list.first"),
        Binding("end,G", "to_end(1)", "Last", show=False, id="list.last"),
    ]

    class Moved(Message):
        """The cursor stands on another run, or on none."""

    class Chosen(Message):
        """A run was clicked twice."""

    def __init__(self, *, letter_of: Callable[[Path], str] = lambda _: "") -> None:
        super().__init__()
        self._letter_of = letter_of
        self._runs: Sequence[RunSummary] = ()
        self._cursor = 0
        self._top = 0

    @property
    def runs(self) -> Sequence[RunSummary]:
        """The runs listed."""
        return self._runs

    @property
    def current(self) -> RunSummary | None:
        """The run under the cursor."""
        return self._runs[self._cursor] if self._runs else None

    def show_runs(self, runs: Sequence[RunSummary]) -> None:
        """List these; the cursor stays on its run where that is still there."""
        held = self.current
        self._runs = runs
        place = next((i for i, run in enumerate(runs) if held and run.path == held.path), None)
        self._cursor = min(self._cursor, max(0, len(runs) - 1)) if place is None else place
        self._settle()

    def _settle(self) -> None:
        rows = max(1, self.size.height - 1)
        self._top = min(self._top, self._cursor, max(0, len(self._runs) - rows))
        self._top = max(self._top, self._cursor - rows + 1)
        self.redraw()
        self.post_message(self.Moved())

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """The header and the runs that are seen."""
        columns = columns_for(self._runs, width - 1)
        lines = [header_line(columns, self.chart_style)]
        now, rows = time.time(), height - 1
        for place, run in enumerate(self._runs[self._top : self._top + rows], self._top):
            here = place == self._cursor
            letter = self._letter_of(run.path)
            line = run_line(run, columns, self.chart_style, now=now, letter=letter, here=here)
            if here and self.has_focus:  # one bar of one colour, whatever stands in it
                palette = self.chart_style.palette
                line = Text(line.plain.ljust(width - 1), style=palette.run + palette.selected)
            lines.append(line)
        if len(self._runs) > rows:
            self._add_bar(lines, width, rows)
        return lines

    def _add_bar(self, lines: list[Text], width: int, rows: int) -> None:
        """A thumb in the last column: where the seen part is in the whole."""
        total = len(self._runs)
        size = max(1, rows * rows // total)
        start = round(self._top / max(1, total - rows) * (rows - size))
        for row in range(start + 1, min(start + 1 + size, len(lines))):
            line = lines[row]
            line.append(" " * (width - 1 - line.cell_len))
            line.append(self.chart_style.glyphs.upright, self.chart_style.palette.title)

    # Movement

    def action_move(self, step: int) -> None:
        """So many lines on."""
        self._cursor = min(max(0, self._cursor + step), max(0, len(self._runs) - 1))
        self._settle()

    def action_page(self, step: int) -> None:
        """A page on."""
        self.action_move(step * max(1, self.size.height - 2))

    def action_to_end(self, side: int) -> None:
        """To the first or the last run."""
        self.action_move(side * len(self._runs))

    def on_resize(self) -> None:
        """The cursor stays in sight."""
        self._settle()

    def on_focus(self) -> None:
        """The cursor shows."""
        self.redraw()

    def on_blur(self) -> None:
        """The cursor is a mark only."""
        self.redraw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel moves the cursor."""
        event.stop()
        self.action_move(WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel moves the cursor."""
        event.stop()
        self.action_move(-WHEEL_LINES)

    def on_click(self, event: events.Click) -> None:
        """To the run that was clicked; a second click opens it."""
        place = self._top + event.y - 1
        if event.y < 1 or place >= len(self._runs):
            return
        self._cursor = place
        self._settle()
        if event.chain == 2:
            self.post_message(self.Chosen())
