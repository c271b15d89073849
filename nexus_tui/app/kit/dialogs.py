"""A question in the middle of the screen; a key, Enter or a click answers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from nexus_engine.errors import one_line
from nexus_tui.app.kit.closing import ClosesOnce

__all__ = ["Choice", "Question"]


class Choice(NamedTuple):
    """An answer: its key, its label, and the value that the question returns for it."""

    key: str
    label: str
    answer: str


class Question(ClosesOnce, ModalScreen[str | None]):
    """Asks `question`; returns the answer of the user's choice, None for Escape."""

    DEFAULT_CSS = """
    Question { align: center middle; background: $background 60%; }
    Question > Vertical {
        width: 64; max-width: 96%; height: auto; max-height: 90%;
        background: $panel; padding: 1 2; border: round $primary;
    }
    Question Static { height: auto; margin-bottom: 1; }
    Question OptionList { height: auto; max-height: 12; background: $panel; }
    Question OptionList, Question OptionList:focus { border: none; padding: 0; }
    .-ascii Question > Vertical, Question.-ascii > Vertical { border: ascii $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss_none", "Stay", id="question.cancel"),
        Binding("j", "move(1)", show=False),
        Binding("k", "move(-1)", show=False),
    ]

    def __init__(self, question: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._question = question
        self._choices = tuple(choices)

    def compose(self) -> ComposeResult:
        """The question and its choices."""
        with Vertical():
            yield Static(Content(one_line(self._question, 600)))
            yield OptionList(
                *(
                    Option(Text.assemble((f"{c.key}  ", "bold"), one_line(c.label, 200)))
                    for c in self._choices
                )
            )

    def on_key(self, event: object) -> None:
        """Take the choice whose key was pressed."""
        character = getattr(event, "character", None)
        for choice in self._choices:
            if character == choice.key:
                event.stop()  # type: ignore[attr-defined]
                self.dismiss(choice.answer)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the choice that Enter or a click selected."""
        self.dismiss(self._choices[event.option_index].answer)

    def action_move(self, step: int) -> None:
        """Move the cursor, down where `step` is positive."""
        options = self.query_one(OptionList)
        if step > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def action_dismiss_none(self) -> None:
        """Close the question without an answer."""
        self.dismiss(None)
