"""A dialog that asks for a path."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from nexus_engine.errors import one_line
from nexus_tui.app.kit.closing import ClosesOnce
from nexus_tui.app.kit.text_input import TextInput

__all__ = ["PathQuestion"]


class PathQuestion(ClosesOnce, ModalScreen[str | None]):
    """Returns the typed path; None for Escape or an empty line."""

    DEFAULT_CSS = """
    PathQuestion { align: center middle; background: $background 60%; }
    PathQuestion > Vertical {
        width: 72; max-width: 96%; height: auto;
        background: $panel; padding: 1 2; border: round $primary; border-title-color: $primary;
    }
    PathQuestion Static { height: auto; margin-top: 1; color: $foreground 70%; }
    PathQuestion TextInput, PathQuestion TextInput:focus { background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss_none", "Stay", id="path.cancel"),
    ]

    def __init__(self, title: str, proposed: str, note: str) -> None:
        super().__init__()
        self._title, self._proposed, self._note = title, proposed, note

    def compose(self) -> ComposeResult:
        """The line, and a note on what is saved."""
        with Vertical() as box:
            box.border_title = Content(one_line(self._title, 60))
            line = TextInput(placeholder="path", id="asked-path")
            line.value = self._proposed
            yield line
            yield Static(Content(f"{one_line(self._note, 200)} Enter saves, Esc cancels."))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter returns the path."""
        event.stop()
        self.dismiss(event.value.strip() or None)

    def on_text_input_left(self, event: TextInput.Left) -> None:
        """Escape in the line closes the dialog."""
        event.stop()
        self.dismiss(None)

    def action_dismiss_none(self) -> None:
        """Escape closes the dialog."""
        self.dismiss(None)
