"""A dialog that asks for a line of text, or for several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from nexus_engine.errors import one_line
from nexus_tui.app.kit.closing import ClosesOnce
from nexus_tui.app.kit.text_input import TextInput

__all__ = ["LinesQuestion", "WantedLine"]


class WantedLine(NamedTuple):
    """A line that is asked for: what an empty one shows, and the text that stands in it."""

    placeholder: str
    proposed: str = ""


class LinesQuestion(ClosesOnce, ModalScreen[tuple[str, ...] | None]):
    """Returns the typed lines, none of them empty; None for Escape. Enter goes to the next line."""

    DEFAULT_CSS = """
    LinesQuestion { align: center middle; background: $background 60%; }
    LinesQuestion > Vertical {
        width: 72; max-width: 96%; height: auto;
        background: $panel; padding: 1 2; border: round $primary; border-title-color: $primary;
    }
    LinesQuestion Static { height: auto; margin-top: 1; color: $foreground 70%; }
    LinesQuestion TextInput, LinesQuestion TextInput:focus { background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss_none", "Stay", id="path.cancel"),
    ]

    def __init__(self, title: str, lines: Sequence[WantedLine], note: str) -> None:
        super().__init__()
        self._title, self._lines, self._note = title, tuple(lines), note

    def compose(self) -> ComposeResult:
        """The lines, and a note on what becomes of them."""
        with Vertical() as box:
            box.border_title = Content(one_line(self._title, 60))
            for number, wanted in enumerate(self._lines):
                line = TextInput(placeholder=wanted.placeholder, id=f"asked-{number}")
                line.value = wanted.proposed
                yield line
            yield Static(Content(one_line(self._note, 300)))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the next line, and from the last one returns them all."""
        event.stop()
        lines = list(self.query(TextInput))
        place = lines.index(event.input)  # type: ignore[arg-type]
        if place + 1 < len(lines):
            lines[place + 1].focus()
            return
        values = tuple(line.value.strip() for line in lines)
        self.dismiss(values if all(values) else None)

    def on_text_input_left(self, event: TextInput.Left) -> None:
        """Escape in a line closes the dialog."""
        event.stop()
        self.dismiss(None)

    def action_dismiss_none(self) -> None:
        """Escape closes the dialog."""
        self.dismiss(None)
