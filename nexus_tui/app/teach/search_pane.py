"""A question with the passages found for it, and the keys that mark them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType

from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.app.kit.declared_keys import key_displays
from nexus_tui.app.teach.items import Passage, SearchItem
from nexus_tui.app.teach.state import TeachState
from nexus_tui.charts.teach.search_card import PassageRow, SearchCard, passage_at, search_card

__all__ = ["SearchPane"]

PASSAGES = 10


class SearchPane(Canvas, can_focus=True):
    """Draws the question that is asked, with a cursor on one of its passages."""

    DEFAULT_CSS = "SearchPane { height: 1fr; margin: 0 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "mark(True)", "Answers", id="teach.answers"),
        Binding("n", "mark(False)", "Does not", id="teach.no_answer"),
        Binding("enter", "next", "Next", key_display="Enter", id="teach.next"),
        Binding("down,j", "move(1)", "Passage below", show=False, id="teach.down"),
        Binding("up,k", "move(-1)", "Passage above", show=False, id="teach.up"),
        *(
            Binding(str(place % PASSAGES), f"mark_at({place - 1})", f"Passage {place} answers",
                    show=False, id=f"teach.passage_{place}")
            for place in range(1, PASSAGES + 1)
        ),
    ]  # fmt: skip

    def __init__(self, teach: TeachState) -> None:
        super().__init__(id="teach-search")
        self._teach = teach

    @property
    def _item(self) -> SearchItem | None:
        item = self._teach.item
        return item if isinstance(item, SearchItem) else None

    def _card(self) -> SearchCard | None:
        item = self._item
        if item is None:
            return None
        keys = key_displays(self, self.screen)
        rows = [
            PassageRow(keys.get(f"teach.passage_{place}", ""), passage.text, _where(passage), mark)
            for place, (passage, mark) in enumerate(
                zip(item.passages, item.marks, strict=True), start=1
            )
        ]
        yes, no, on = (keys.get(f"teach.{name}", "") for name in ("answers", "no_answer", "next"))
        note = f"From the top: {no} does not answer, {yes} the first that does, then {on}"
        if item.asked is not None:
            note = f"Edited by you. {note}"
        return SearchCard(item.question, rows, item.cursor, note)

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """The question, or nothing while another kind is asked."""
        card = self._card()
        return () if card is None else search_card(card, width, height, self.chart_style)

    async def action_mark(self, relevant: bool) -> None:
        """Mark the passage under the cursor."""
        item = self._item
        if item is not None:
            await self._teach.mark(item.cursor, relevant)

    async def action_mark_at(self, place: int) -> None:
        """Mark the passage at `place` as an answer; once more, as none."""
        item = self._item
        if item is not None and place < len(item.passages):
            await self._teach.mark(place, item.marks[place] != "yes")

    async def action_next(self) -> None:
        """Go to the next question."""
        await self._teach.next()

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        item = self._item
        if item is not None and item.passages:
            item.cursor = min(max(item.cursor + step, 0), len(item.passages) - 1)
            self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the passage that was clicked."""
        item, card = self._item, self._card()
        if item is None or card is None:
            return
        place = passage_at(card, event.y, *self.size, self.chart_style)
        if place is not None:
            item.cursor = place
            self.redraw()

    def on_mouse_scroll_down(self) -> None:
        """Move the cursor down."""
        self.action_move(1)

    def on_mouse_scroll_up(self) -> None:
        """Move the cursor up."""
        self.action_move(-1)


def _where(passage: Passage) -> str:
    return " > ".join(part for part in (passage.document, passage.heading) if part)
