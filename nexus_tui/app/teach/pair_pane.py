"""A pair to judge, and the keys that judge it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.app.kit.declared_keys import key_displays
from nexus_tui.app.teach.items import PairItem
from nexus_tui.app.teach.state import TeachState
from nexus_tui.charts.teach.pair_card import GRADES, AnswerKey, PairCard, pair_card

__all__ = ["PairPane"]

OTHERS = (("teach.same", "same"), ("teach.not_same", "not the same"), ("teach.unsure", "unsure"),
          ("teach.skip", "skip"))  # fmt: skip
"""IDs of the other keys, with their answers."""


class PairPane(Canvas, can_focus=True):
    """Draws the pair that is asked."""

    DEFAULT_CSS = "PairPane { height: 1fr; margin: 0 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(grade), f"grade({grade})", f"Grade {grade}: {GRADES[grade][0]}",
                    show=False, id=f"teach.grade_{grade}")
            for grade in range(len(GRADES))
        ),
        Binding("y", "same(True)", "Same", id="teach.same"),
        Binding("n", "same(False)", "Not same", id="teach.not_same"),
    ]  # fmt: skip

    def __init__(self, teach: TeachState) -> None:
        super().__init__(id="teach-pair")
        self._teach = teach

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """The pair, or nothing while another kind is asked."""
        item = self._teach.item
        if not isinstance(item, PairItem):
            return ()
        keys = key_displays(self, self.screen)
        grades = [
            AnswerKey(keys.get(f"teach.grade_{grade}", ""), name, meaning, str(grade) == item.said)
            for grade, (name, meaning) in enumerate(GRADES)
        ]
        others = [
            AnswerKey(keys.get(name, ""), words, chosen=words == item.said)
            for name, words in OTHERS
        ]
        card = PairCard(
            item.first, item.second, item.reason, grades, others, edited=item.asked is not None
        )
        return pair_card(card, width, height, self.chart_style)

    async def action_grade(self, grade: int) -> None:
        """Give the pair a grade."""
        await self._teach.grade(grade)

    async def action_same(self, same: bool) -> None:
        """Say whether both texts mean the same."""
        await self._teach.same(same)
