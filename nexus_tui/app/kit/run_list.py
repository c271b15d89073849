"""A list of runs of any length: only the lines in view are drawn."""

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
    """Runs under a header, with a cursor and, in the last column, a scroll bar.

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
        """The cursor moved to another run, or the list changed."""

    class Chosen(Message):
        """The user clicked twice on a run."""

    def __init__(self, *, letter_of: Callable[[Path], str] = lambda _: "") -> None:
        super().__init__()
        self._letter_of = letter_of
        self._runs: Sequence[RunSummary] = ()
        self._cursor = 0
        self._top = 0

    @property
    def runs(self) -> Sequence[RunSummary]:
        """The listed runs."""
        return self._runs

    @property
    def current(self) -> RunSummary | None:
        """The run under the cursor."""
        return self._runs[self._cursor] if self._runs else None

    def show_runs(self, runs: Sequence[RunSummary]) -> None:
        """List `runs`; the cursor stays on its run if that is still listed."""
        current = self.current
        paths = [run.path for run in runs]
        self._runs = runs
        if current is not None and current.path in paths:
            self._cursor = paths.index(current.path)
        else:
            self._cursor = min(self._cursor, max(0, len(runs) - 1))
        self._scroll_to_cursor()

    def _scroll_to_cursor(self) -> None:
        rows = max(1, self.size.height - 1)
        self._top = min(self._top, self._cursor, max(0, len(self._runs) - rows))
        self._top = max(self._top, self._cursor - rows + 1)
        self.redraw()
        self.post_message(self.Moved())

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """The header and the runs in view."""
        columns = columns_for(self._runs, width - 1)
        lines = [header_line(columns, self.chart_style)]
        now, rows = time.time(), height - 1
        for index, run in enumerate(self._runs[self._top : self._top + rows], self._top):
            here = index == self._cursor
            letter = self._letter_of(run.path)
            line = run_line(run, columns, self.chart_style, now=now, letter=letter, here=here)
            if here and self.has_focus:  # a bar of one colour, whatever colours the line has
                palette = self.chart_style.palette
                line = Text(line.plain.ljust(width - 1), style=palette.run + palette.selected)
            lines.append(line)
        if len(self._runs) > rows:
            self._add_bar(lines, width, rows)
        return lines

    def _add_bar(self, lines: list[Text], width: int, rows: int) -> None:
        """Draw a thumb in the last column: the position of the view in the list."""
        total = len(self._runs)
        size = max(1, rows * rows // total)
        start = round(self._top / max(1, total - rows) * (rows - size))
        for row in range(start + 1, min(start + 1 + size, len(lines))):
            line = lines[row]
            line.append(" " * (width - 1 - line.cell_len))
            line.append(self.chart_style.glyphs.upright, self.chart_style.palette.title)

    # Movement

    def action_move(self, step: int) -> None:
        """Move the cursor by `step` runs."""
        self._cursor = min(max(0, self._cursor + step), max(0, len(self._runs) - 1))
        self._scroll_to_cursor()

    def action_page(self, step: int) -> None:
        """Move the cursor by `step` pages."""
        self.action_move(step * max(1, self.size.height - 2))

    def action_to_end(self, side: int) -> None:
        """Move to the first (-1) or the last run (1)."""
        self.action_move(side * len(self._runs))

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._scroll_to_cursor()

    def on_focus(self) -> None:
        """Highlight the run under the cursor."""
        self.redraw()

    def on_blur(self) -> None:
        """Show the cursor by its mark only."""
        self.redraw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move the cursor down."""
        event.stop()
        self.action_move(WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move the cursor up."""
        event.stop()
        self.action_move(-WHEEL_LINES)

    def on_click(self, event: events.Click) -> None:
        """Move to the run that was clicked; a second click chooses it."""
        index = self._top + event.y - 1
        if event.y < 1 or index >= len(self._runs):
            return
        self._cursor = index
        self._scroll_to_cursor()
        if event.chain == 2:
            self.post_message(self.Chosen())
