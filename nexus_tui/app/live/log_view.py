"""The log of the open run: it follows the end until you scroll up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType

from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.app.open_run import OpenRun
from nexus_tui.charts.run.log import window, wrapped

__all__ = ["LogView"]

WHEEL_ROWS = 3


class LogView(Canvas, can_focus=True):
    """Call `open`, then `redraw`. After a scroll, the rows in view stay while new lines arrive."""

    DEFAULT_CSS = "LogView { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll_rows(-1)", "Down", show=False, id="log.down"),
        Binding("k,up", "scroll_rows(1)", "Up", show=False, id="log.up"),
        Binding("pagedown", "scroll_page(-1)", "Page down", show=False, id="log.page_down"),
        Binding("pageup", "scroll_page(1)", "Page up", show=False, id="log.page_up"),
        Binding("home", "scroll_rows(100000)", "First line", show=False, id="log.first"),
        Binding("end", "scroll_rows(-100000)", "Last line", show=False, id="log.last"),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.run: OpenRun | None = None
        self.hint = ""
        """Text at the right end of the title."""
        self._rows_below = 0
        self._rows: list[Text] = []
        self._rows_key: tuple[object, ...] = ()
        """The line count, width and style for which `_rows` were made."""

    def open(self, run: OpenRun | None) -> None:
        """Show the log of `run`, from its end."""
        self.run = run
        self._rows_below, self._rows, self._rows_key = 0, [], ()

    def _wrapped(self, width: int) -> list[Text]:
        run = self.run
        lines_seen = run.lines_seen if run is not None else 0
        key = (lines_seen, width, self.chart_style)
        if key != self._rows_key:
            rows = [] if run is None else wrapped(run.lines, width, self.chart_style)
            if self._rows_below and self._rows_key[1:2] == (width,):
                self._rows_below += max(0, len(rows) - len(self._rows))
            self._rows, self._rows_key = rows, key
        return self._rows

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """The title and the rows in view."""
        palette = self.chart_style.palette
        rows, self._rows_below = window(self._wrapped(width), height - 1, self._rows_below)
        title = Text.assemble(("log", palette.title if self.has_focus else palette.text))
        note = f"{self._rows_below} more below" if self._rows_below else ""
        if not rows:
            note = "nothing yet"
        title.append(f"  {note}", palette.dim)
        if self.hint and title.cell_len + len(self.hint) + 2 < width:
            title.append(" " * (width - title.cell_len - len(self.hint)) + self.hint, palette.dim)
        return [title, *rows]

    def on_focus(self) -> None:
        """Show the focus in the title."""
        self.redraw()

    def on_blur(self) -> None:
        """Remove the focus from the title."""
        self.redraw()

    def action_scroll_rows(self, rows: int) -> None:
        """Scroll up by `rows`, down where negative."""
        self._rows_below += rows
        self.redraw()

    def action_scroll_page(self, pages: int) -> None:
        """Scroll up by `pages`, down where negative."""
        self.action_scroll_rows(pages * max(1, self.size.height - 2))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up."""
        event.stop()
        self.action_scroll_rows(WHEEL_ROWS)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down."""
        event.stop()
        self.action_scroll_rows(-WHEEL_ROWS)
