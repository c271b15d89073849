"""A field with a few options, changed with the arrows, the space bar or a click."""

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
    """Shows one of `options`, at first `default`."""

    DEFAULT_CSS = "ChoiceField { height: 1; background: $surface; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l,space", "turn(1)", "Next choice", show=False, id="choice.next"),
        Binding("left,h", "turn(-1)", "Previous choice", show=False, id="choice.previous"),
    ]

    class Changed(Message):
        """Another option is selected."""

    def __init__(self, *, options: Sequence[str], default: str, id: str | None = None  # noqa: A002
                 ) -> None:  # fmt: skip
        super().__init__(id=id)
        self._index = 0
        self._set_options(options, default, selected=default)

    def _set_options(self, options: Sequence[str], default: str, *, selected: str) -> None:
        self._options, self._default = tuple(options), default
        self._index = self._options.index(selected) if selected in self._options else 0

    @property
    def value(self) -> str:
        """The selected option; empty if it is the default."""
        return "" if self.selected == self._default else self.selected

    @property
    def selected(self) -> str:
        """The option that is shown."""
        return self._options[self._index]

    def offer(self, options: Sequence[str], default: str) -> None:
        """Replace the options; the selected one stays if it is among them."""
        selected = self.selected if self.selected in options else default
        self._set_options(options, default, selected=selected)
        self.redraw()

    def picture(self, width: int, height: int) -> Sequence[Text]:  # noqa: ARG002
        """The selected option between arrows."""
        palette = self.chart_style.palette
        left, right = ("<", ">") if self.chart_style.glyphs.selected == ">" else ("‹", "›")
        arrows = palette.title if self.has_focus else palette.dim
        line = Text().append(f"{left} ", arrows)
        line.append(fitted(self.selected, width - 4, self.chart_style), palette.text)
        line.append(f" {right}", arrows)
        if self.has_focus:
            line.stylize(palette.selected, 2, line.cell_len - 2)
        return [line]

    def action_turn(self, step: int) -> None:
        """Select the next option (1) or the previous one (-1)."""
        self._index = (self._index + step) % len(self._options)
        self.redraw()
        self.post_message(self.Changed())

    def on_click(self) -> None:
        """Select the next option."""
        self.action_turn(1)

    def on_focus(self) -> None:
        """Show that the arrows act on this field."""
        self.redraw()

    def on_blur(self) -> None:
        """Show that the arrows act elsewhere."""
        self.redraw()
