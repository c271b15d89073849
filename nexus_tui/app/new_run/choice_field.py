"""One of a few words, changed with the arrows, the space bar or a click."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message

from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.charts.kit.fitting import fitted

__all__ = ["ChoiceField"]


class ChoiceField(Canvas, can_focus=True):
    """Shows one of `options`; `standing` is the one that holds where nothing is chosen."""

    DEFAULT_CSS = "ChoiceField { height: 1; background: $surface; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l,space", "turn(1)", "Next choice", show=False, id="choice.next"),
        Binding("left,h", "turn(-1)", "Previous choice", show=False, id="choice.previous"),
    ]

    class Changed(Message):
        """Another one is chosen."""

    def __init__(self, *, options: Sequence[str], standing: str, id: str | None = None  # noqa: A002
                 ) -> None:  # fmt: skip
        super().__init__(id=id)
        self._options = tuple(options)
        self._standing = standing
        self._place = self._options.index(standing) if standing in self._options else 0

    @property
    def value(self) -> str:
        """What was chosen; empty where it is what stands anyway."""
        chosen = self.chosen
        return "" if chosen == self._standing else chosen

    @property
    def chosen(self) -> str:
        """The word that is shown."""
        return self._options[self._place]

    def offer(self, options: Sequence[str], standing: str) -> None:
        """Offer other words; the chosen one stays where it is among them."""
        held = self.chosen
        self._options, self._standing = tuple(options), standing
        wanted = held if held in self._options else standing
        self._place = self._options.index(wanted) if wanted in self._options else 0
        self.redraw()

    def picture(self, width: int, height: int) -> Sequence[Text]:  # noqa: ARG002
        """The word between arrows."""
        palette = self.chart_style.palette
        left, right = ("<", ">") if self.chart_style.glyphs.selected == ">" else ("‹", "›")
        arrows = palette.title if self.has_focus else palette.dim
        line = Text().append(f"{left} ", arrows)
        line.append(fitted(self.chosen, width - 4, self.chart_style), palette.text)
        line.append(f" {right}", arrows)
        if self.has_focus:
            line.stylize(palette.selected, 2, line.cell_len - 2)
        return [line]

    def action_turn(self, step: int) -> None:
        """The next or the previous one."""
        self._place = (self._place + step) % len(self._options)
        self.redraw()
        self.post_message(self.Changed())

    def on_click(self) -> None:
        """The next one."""
        self.action_turn(1)

    def on_focus(self) -> None:
        """It shows that the arrows act here."""
        self.redraw()

    def on_blur(self) -> None:
        """The arrows act elsewhere."""
        self.redraw()
