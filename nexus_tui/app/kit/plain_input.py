"""A line of text to type into, that never holds a control character and never blinks."""

from __future__ import annotations

from textual.widgets import Input

__all__ = ["PlainInput"]


class PlainInput(Input):
    """Textual's input, one row high; what is pasted is cleaned before it is shown."""

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
        """Printable characters alone."""
        return "".join(c for c in value if c.isprintable())
