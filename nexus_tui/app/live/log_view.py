"""The log of the open run: it follows the end until one scrolls up."""

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
    """Set `run`, then `redraw`. What is in view stays in view while new lines come below."""

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
        """Words at the right end of the title."""
        self._above = 0
        self._rows: list[Text] = []
        self._made_for: tuple[object, ...] = ()

    def open(self, run: OpenRun | None) -> None:
        """Show the log of `run`, from its end."""
        self.run = run
        self._above, self._rows, self._made_for = 0, [], ()

    def _wrapped(self, width: int) -> list[Text]:
        run = self.run
        seen = run.lines_seen if run is not None else 0
        wanted = (seen, width, self.chart_style)
        if wanted != self._made_for:
            rows = [] if run is None else wrapped(run.lines, width, self.chart_style)
            if self._above and self._made_for[1:2] == (width,):
                self._above += max(0, len(rows) - len(self._rows))
            self._rows, self._made_for = rows, wanted
        return self._rows

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """A title, then the rows in view."""
        palette = self.chart_style.palette
        rows, self._above = window(self._wrapped(width), height - 1, self._above)
        title = Text.assemble(("log", palette.title if self.has_focus else palette.text))
        words = f"{self._above} more below" if self._above else ""
        if not rows:
            words = "nothing yet"
        title.append(f"  {words}", palette.dim)
        if self.hint and title.cell_len + len(self.hint) + 2 < width:
            title.append(" " * (width - title.cell_len - len(self.hint)) + self.hint, palette.dim)
        return [title, *rows]

    def on_focus(self) -> None:
        """The title shows the focus."""
        self.redraw()

    def on_blur(self) -> None:
        """The title shows no focus."""
        self.redraw()

    def action_scroll_rows(self, rows: int) -> None:
        """Up by so many rows, or down where negative."""
        self._above += rows
        self.redraw()

    def action_scroll_page(self, pages: int) -> None:
        """Up by pages, or down where negative."""
        self.action_scroll_rows(pages * max(1, self.size.height - 2))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel, up."""
        event.stop()
        self.action_scroll_rows(WHEEL_ROWS)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel, down."""
        event.stop()
        self.action_scroll_rows(-WHEEL_ROWS)
