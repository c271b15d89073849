"""A line of a form: its name, what is typed or chosen, and a remark."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal

from nexus_engine.errors import one_line
from nexus_tui.app.kit.canvas import DrawnLines
from nexus_tui.app.kit.host import host_of
from nexus_tui.app.kit.text_input import PlainInput
from nexus_tui.app.new_run.choice_field import ChoiceField
from nexus_tui.app.new_run.run_form import Field
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.fitting import fitted

__all__ = ["FormRow"]


def whole_words(text: str, columns: int, chart_style: ChartStyle) -> str:
    """`text` cut to `columns` after a whole word."""
    clean = one_line(text, 400)
    if len(clean) <= columns:
        return clean
    head = clean[: max(0, columns - 2)].rpartition(" ")[0]
    return f"{head} {chart_style.glyphs.ellipsis}" if head else fitted(clean, columns, chart_style)


class FormRow(Horizontal):
    """The row of `field`. A field that is chosen takes `options`, `standing` among them."""

    DEFAULT_CSS = """
    FormRow { height: 1; padding: 0 1; }
    FormRow > .label { width: 14; }
    FormRow > .entry { width: 24; margin-right: 2; }
    FormRow > .remark { width: 1fr; }
    FormRow.-wide > .entry { width: 36; }
    """

    def __init__(self, field: Field, *, options: Sequence[str] = (), standing: str = "") -> None:
        super().__init__()
        self.field = field
        self._options, self._standing = options, standing
        self._error = ""
        self._note = ""

    def compose(self) -> ComposeResult:
        """Name, entry, remark."""
        yield DrawnLines(self._draw_label).add_class("label")
        entry: ChoiceField | PlainInput
        if self.field.chosen:
            entry = ChoiceField(options=self._options, standing=self._standing)
        else:
            entry = PlainInput()
        yield entry.add_class("entry")
        yield DrawnLines(self._draw_remark).add_class("remark")

    @property
    def entry(self) -> ChoiceField | PlainInput:
        """What takes the keys."""
        found = self.query_one(".entry")
        assert isinstance(found, ChoiceField | PlainInput)
        return found

    @property
    def value(self) -> str:
        """What is typed or chosen; empty where it is left as it stands."""
        return self.entry.value

    def tell(self, *, error: str, note: str, standing: str | None) -> None:
        """Say what is wrong, or a note; and what holds where nothing is typed."""
        entry = self.entry
        if standing is not None and isinstance(entry, PlainInput):
            entry.placeholder = standing
        self._error, self._note = error, note
        self.redraw()

    def redraw(self) -> None:
        """Draw name and remark anew."""
        for part in self.query(DrawnLines):
            part.redraw()

    def on_descendant_focus(self) -> None:
        """The help of this field."""
        self.redraw()

    def on_descendant_blur(self) -> None:
        """The help is for another one."""
        self.redraw()

    def _draw_label(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        palette = host_of(self).chart_style.palette
        return [Text(self.field.label, palette.title if self.has_focus_within else palette.text)]

    def _draw_remark(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        chart_style = host_of(self).chart_style
        if self._error:
            words = self._error.removeprefix(self.field.flag).lstrip(": ")
            return [
                Text(
                    f"{chart_style.glyphs.broken} {whole_words(words, width - 2, chart_style)}",
                    chart_style.palette.bad,
                )
            ]
        helped = self.has_focus_within or self.screen.has_class("-wide")
        words = self._note or (self.field.help if helped else "")
        return [Text(whole_words(words, width, chart_style), style=chart_style.palette.dim)]
