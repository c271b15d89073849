"""The look of Textual's own widgets on terminals that only have ASCII."""

from __future__ import annotations

from textual.scrollbar import ScrollBarRender

__all__ = ["ASCII_CSS", "PlainBar", "plain_key"]

ASCII_CSS = """
.-ascii ModalScreen > Vertical { border: ascii $primary; }
.-ascii CommandPalette #--input, .-ascii CommandPalette CommandList { border: none; }
.-ascii CommandPalette SearchIcon { display: none; }
.-ascii Toast { border: none; }
"""
"""For the app's style sheet; the app has the class `-ascii` while it draws in ASCII."""
ARROWS = {"\u2191": "up", "\u2193": "down", "\u2190": "left", "\u2192": "right"}


class PlainBar(ScrollBarRender):
    """A scroll bar of full cells, without the partial blocks at its ends."""

    VERTICAL_BARS = [" "] * 8
    HORIZONTAL_BARS = [" "] * 8


def plain_key(display: str) -> str:
    """The name of a key in ASCII, with words for arrows."""
    for sign, word in ARROWS.items():
        display = display.replace(sign, word)
    return display.encode("ascii", "replace").decode()
