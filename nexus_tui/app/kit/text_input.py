"""Input lines: they take plain text only, typed or pasted, and their cursor does not blink."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

__all__ = ["MAX_CHARACTERS", "LabelledInput", "PlainInput", "TextInput", "plain_text"]

MAX_CHARACTERS = 4000
"""Characters of a line; the model reads its first 256 tokens."""


def plain_text(text: str) -> str:
    """`text` without control, format and surrogate characters; white space becomes spaces."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)


class TextInput(Input):
    """One line of the user's text. Escape leaves it; up and down recall earlier entries."""

    DEFAULT_CSS = """
    TextInput, TextInput:focus { background: $surface; border: none; padding: 0; }
    TextInput:focus { background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave the line", key_display="Esc", id="play.leave"),
        Binding("up", "recall(1)", "Earlier", show=False, id="play.earlier"),
        Binding("down", "recall(-1)", "Later", show=False, id="play.later"),
    ]

    class Left(Message):
        """The user pressed Escape."""

    class Recalled(Message):
        """The user wants the entry `step` places back in the history."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    class Pasted(Message):
        """The user pasted several lines. Stop this message to handle them yourself."""

        def __init__(self, line: TextInput, text: str) -> None:
            super().__init__()
            self.line = line
            self.text = text

    def __init__(self, *, placeholder: str, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(
            placeholder=placeholder, id=id, compact=True, select_on_focus=False,
            max_length=MAX_CHARACTERS,
        )  # fmt: skip
        self.cursor_blink = False

    def validate_value(self, value: str) -> str:
        """Remove control characters, whatever sets the value."""
        return plain_text(value)[:MAX_CHARACTERS]

    def on_paste(self, event: events.Paste) -> None:
        """Insert one line; leave several to the screen."""
        event.stop()
        event.prevent_default()
        lines = [line for line in event.text.splitlines() if line.strip()]
        if len(lines) > 1:
            self.post_message(self.Pasted(self, event.text))
        elif lines:
            self.put_in(lines[0])

    def put_in(self, text: str) -> None:
        """Insert `text` as one line at the cursor, in place of the selection."""
        clean = " ".join(plain_text(text).split()) if "\n" in text else plain_text(text).strip("\n")
        room = max(0, MAX_CHARACTERS - len(self.value) + len(self.selected_text))
        self.replace(clean[:room], *self.selection)

    def action_leave(self) -> None:
        """Give the focus back to the screen."""
        self.post_message(self.Left())

    def action_recall(self, step: int) -> None:
        """Ask for an earlier entry."""
        self.post_message(self.Recalled(step))


class PlainInput(Input):
    """Textual's input, one row high; it keeps printable characters only."""

    DEFAULT_CSS = """
    PlainInput, PlainInput:focus { border: none; height: 1; padding: 0; background: $surface; }
    """

    def __init__(self, *, value: str = "", placeholder: str = "", id: str | None = None  # noqa: A002
                 ) -> None:  # fmt: skip
        super().__init__(
            value=value, placeholder=placeholder, id=id, compact=True, select_on_focus=False
        )
        self.cursor_blink = False

    def validate_value(self, value: str) -> str:
        """Remove characters that cannot be printed."""
        return "".join(c for c in value if c.isprintable())


class LabelledInput(Horizontal):
    """A label and its line."""

    DEFAULT_CSS = """
    LabelledInput { height: 1; padding: 0 1; }
    LabelledInput > Static { width: 9; height: 1; color: $foreground 70%; }
    LabelledInput:focus-within > Static { color: $primary; text-style: bold; }
    LabelledInput > TextInput { width: 1fr; }
    """

    def __init__(self, label: str, line: TextInput) -> None:
        super().__init__()
        self._label = label
        self.line = line

    def compose(self) -> ComposeResult:
        """The label, then the line."""
        yield Static(Content(self._label))
        yield self.line
