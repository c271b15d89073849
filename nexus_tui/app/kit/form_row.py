"""A row of the form: its label, its entry, and a remark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal

from nexus_engine.errors import one_line
from nexus_tui.app.kit.canvas import DrawnLines
from nexus_tui.app.kit.choice_field import ChoiceField
from nexus_tui.app.kit.host import host_of
from nexus_tui.app.kit.text_input import PlainInput
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.fitting import fitted

__all__ = ["FormRow", "RowField"]


class RowField(Protocol):
    """What a row says of its field; `flag` is the option of the command line."""

    @property
    def name(self) -> str:
        """The field's name."""

    @property
    def label(self) -> str:
        """The words before the entry."""

    @property
    def flag(self) -> str:
        """The option of the command line."""

    @property
    def help(self) -> str:
        """The words after the entry."""

    @property
    def is_choice(self) -> bool:
        """Whether the user selects the value from a list instead of typing it."""


def _cut_after_word(text: str, columns: int, chart_style: ChartStyle) -> str:
    """`text` on one line, cut after a full word to at most `columns` cells."""
    clean = one_line(text, 400)
    if len(clean) <= columns:
        return clean
    head = clean[: max(0, columns - 2)].rpartition(" ")[0]
    return f"{head} {chart_style.glyphs.ellipsis}" if head else fitted(clean, columns, chart_style)


class FormRow(Horizontal):
    """The row of `field`. A field with a choice takes `options` and the `default` among them."""

    DEFAULT_CSS = """
    FormRow { height: 1; padding: 0 1; }
    FormRow > .label { width: 14; }
    FormRow > .entry { width: 24; margin-right: 2; }
    FormRow > .remark { width: 1fr; }
    FormRow.-wide > .entry { width: 36; }
    """

    def __init__(self, field: RowField, *, options: Sequence[str] = (), default: str = "") -> None:
        super().__init__()
        self.field = field
        self._options, self._default = options, default
        self._error = ""
        self._note = ""

    def compose(self) -> ComposeResult:
        """Label, entry, remark."""
        yield DrawnLines(self._draw_label).add_class("label")
        entry: ChoiceField | PlainInput
        if self.field.is_choice:
            entry = ChoiceField(options=self._options, default=self._default)
        else:
            entry = PlainInput()
        yield entry.add_class("entry")
        yield DrawnLines(self._draw_remark).add_class("remark")

    @property
    def entry(self) -> ChoiceField | PlainInput:
        """The widget that takes the input."""
        entry = self.query_one(".entry")
        assert isinstance(entry, ChoiceField | PlainInput)
        return entry

    @property
    def value(self) -> str:
        """The typed or selected value; empty while the default applies."""
        return self.entry.value

    def update_remark(self, *, error: str, note: str, default: str | None) -> None:
        """Show `error`, else `note`; show `default`, if any, while nothing is typed."""
        entry = self.entry
        if default is not None and isinstance(entry, PlainInput):
            entry.placeholder = default
        self._error, self._note = error, note
        self.redraw()

    def redraw(self) -> None:
        """Draw label and remark anew."""
        for part in self.query(DrawnLines):
            part.redraw()

    def on_descendant_focus(self) -> None:
        """Show the help of this field."""
        self.redraw()

    def on_descendant_blur(self) -> None:
        """Hide the help of this field."""
        self.redraw()

    def _draw_label(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        palette = host_of(self).chart_style.palette
        return [Text(self.field.label, palette.title if self.has_focus_within else palette.text)]

    def _draw_remark(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        chart_style = host_of(self).chart_style
        if self._error:
            error = self._error.removeprefix(self.field.flag).lstrip(": ")
            error = _cut_after_word(error, width - 2, chart_style)
            return [Text(f"{chart_style.glyphs.broken} {error}", chart_style.palette.bad)]
        show_help = self.has_focus_within or self.screen.has_class("-wide")
        remark = self._note or (self.field.help if show_help else "")
        return [Text(_cut_after_word(remark, width, chart_style), chart_style.palette.dim)]
