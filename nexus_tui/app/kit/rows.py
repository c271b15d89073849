"""A list with a cursor, of any length: only the rows in view are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from nexus_tui.app.kit.canvas import Canvas

__all__ = ["Rows"]


class Rows(Canvas, can_focus=True):
    """Override `count`, `row`, and optionally `head` and `empty`; call `redraw` on change.

    A row takes `each` lines; with more than one, override `row_lines`.
    """

    DEFAULT_CSS = "Rows { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="list.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="list.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="list.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="list.page_down"),
        Binding("home,g", "move(-1000000000)", "First", show=False, id="list.first"),
        Binding("end,G", "move(1000000000)", "Last", show=False, id="list.last"),
        Binding("enter", "choose", "Use", key_display="Enter", id="list.choose"),
    ]

    class Moved(Message):
        """The cursor moved to another row."""

        def __init__(self, rows: Rows) -> None:
            super().__init__()
            self.rows = rows

    class Chosen(Message):
        """The user pressed Enter or clicked a second time on a row."""

        def __init__(self, rows: Rows, index: int) -> None:
            super().__init__()
            self.rows = rows
            self.index = index

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.cursor = 0
        self._top = 0

    def count(self) -> int:
        """The number of rows."""
        raise NotImplementedError

    def row(self, index: int, width: int) -> Text:
        """One row, at most `width` cells wide."""
        raise NotImplementedError

    @property
    def each(self) -> int:
        """Number of lines of each row."""
        return 1

    def row_lines(self, index: int, width: int) -> Sequence[Text]:
        """One row as `each` lines, at most `width` cells wide."""
        return [self.row(index, width)]

    def head(self, width: int) -> Sequence[Text]:  # noqa: ARG002
        """The lines above the rows; they do not scroll."""
        return ()

    def empty(self, width: int) -> Sequence[Text]:  # noqa: ARG002
        """The lines shown when there are no rows."""
        return ()

    def point(self, line: Text, width: int) -> Text:
        """`line` of the row under the cursor, highlighted."""
        room = " " * max(0, width - line.cell_len)
        return Text(line.plain + room, self.chart_style.palette.selected)

    @property
    def selected(self) -> int | None:
        """The index of the row under the cursor; None without rows."""
        total = self.count()
        return min(self.cursor, total - 1) if total else None

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """The head, then the rows in view."""
        lines = list(self.head(width))[:height]
        total, room = self.count(), height - len(lines)
        if not total:
            return [*lines, *self.empty(width)]
        self.cursor = min(max(self.cursor, 0), total - 1)
        each = self.each
        fit = max(1, room // each)
        self._top = min(self._top, self.cursor)
        self._top = max(self._top, self.cursor - fit + 1)
        self._top = max(0, min(self._top, total - fit))
        glyphs, palette = self.chart_style.glyphs, self.chart_style.palette
        for index in range(self._top, min(total, self._top + fit)):
            selected = index == self.cursor and self.has_focus
            for number, row_line in enumerate(self.row_lines(index, width - 2)):
                mark = f"{glyphs.selected} " if selected and number == 0 else "  "
                line = Text.assemble((mark, palette.title), row_line)
                lines.append(self.point(line, width) if selected else line)
        return lines

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Leave Enter to the screen while there is no row."""
        return action != "choose" or bool(self.count())

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        total = self.count()
        if not total:
            return
        index = min(max(self.cursor + step, 0), total - 1)
        if index != self.cursor:
            self.cursor = index
            self.redraw()
            self.post_message(self.Moved(self))

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        room = self.size.height - len(self.head(self.size.width))
        self.action_move(pages * max(1, room // self.each - 1))

    def action_choose(self) -> None:
        """Take the row under the cursor."""
        index = self.selected
        if index is not None:
            self.post_message(self.Chosen(self, index))

    def on_focus(self) -> None:
        """Show the cursor."""
        self.redraw()
        self.post_message(self.Moved(self))

    def on_blur(self) -> None:
        """Hide the cursor."""
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Select the row that was clicked; a second click takes it."""
        y = event.y - len(self.head(self.size.width))
        index = self._top + y // self.each
        if y < 0 or index >= self.count():
            return
        if index == self.cursor and event.chain > 1:
            self.post_message(self.Chosen(self, index))
            return
        self.cursor = index
        self.redraw()
        self.post_message(self.Moved(self))

    def on_mouse_scroll_down(self) -> None:
        """Move the cursor down."""
        self.action_move(3)

    def on_mouse_scroll_up(self) -> None:
        """Move the cursor up."""
        self.action_move(-3)
