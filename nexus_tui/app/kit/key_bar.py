"""The keys at the bottom of a screen: as many as fit, none of them cut."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.widgets import Footer

from nexus_tui.app.terminal.textual_private import FooterKey

__all__ = ["KeyBar", "hidden_keys"]

ALWAYS_SHOWN = ("keys_help", "leave")
"""Actions whose keys are shown at any width; the help lists all the others."""


def hidden_keys(widths: Sequence[int], always: Sequence[bool], room: int) -> set[int]:
    """The indices of the keys to hide, so that the others fit into `room` cells.

    A key takes its width and is followed by one empty cell. The last keys are hidden first, those
    with `always` never.
    """
    hidden: set[int] = set()
    total = sum(widths) + max(0, len(widths) - 1)
    for index in reversed(range(len(widths))):
        if total <= room:
            break
        if not always[index]:
            hidden.add(index)
            total -= widths[index] + 1
    return hidden


class KeyBar(Footer):
    """The footer of a screen, which declares its most important keys first: the last are hidden."""

    def __init__(self) -> None:
        super().__init__(show_command_palette=False, compact=True)

    def compose(self) -> ComposeResult:
        """The keys that apply now."""
        widgets = list(super().compose())
        self._fit([widget for widget in widgets if isinstance(widget, FooterKey)])
        yield from widgets

    def on_resize(self) -> None:
        """Fit the keys to the new width."""
        self._fit(list(self.query(FooterKey)))

    def _fit(self, keys: Sequence[FooterKey]) -> None:
        widths = [cell_len(f"{key.key_display} {key.description}") for key in keys]
        always = [key.action in ALWAYS_SHOWN for key in keys]
        hidden = hidden_keys(widths, always, self.app.size.width)
        for index, key in enumerate(keys):
            key.display = index not in hidden
