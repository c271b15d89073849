"""The keys at the bottom of a screen: as many as there is room for, each of them whole."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.widgets import Footer

from nexus_tui.app.terminal.textual_private import FooterKey

__all__ = ["KeyBar", "left_out"]

STAYING = ("keys_help", "leave")
"""Actions whose keys are there in any room: help has all the others."""


def left_out(widths: Sequence[int], staying: Sequence[bool], room: int) -> set[int]:
    """Which of the keys, `widths` cells wide, to leave out so that the others fit into `room`.

    A cell stands between two keys. The last one goes first; those that are `staying` never go.
    """
    gone: set[int] = set()
    wide = sum(widths) + max(0, len(widths) - 1)
    for place in reversed(range(len(widths))):
        if wide <= room:
            break
        if not staying[place]:
            gone.add(place)
            wide -= widths[place] + 1
    return gone


class KeyBar(Footer):
    """A screen declares its keys in the order of their use: where room is short, the last go."""

    def __init__(self) -> None:
        super().__init__(show_command_palette=False, compact=True)

    def compose(self) -> ComposeResult:
        """The keys in force."""
        parts = list(super().compose())
        self._fit([part for part in parts if isinstance(part, FooterKey)])
        yield from parts

    def on_resize(self) -> None:
        """Another room."""
        self._fit(list(self.query(FooterKey)))

    def _fit(self, keys: Sequence[FooterKey]) -> None:
        widths = [cell_len(f"{key.key_display} {key.description}") for key in keys]
        gone = left_out(widths, [key.action in STAYING for key in keys], self.app.size.width)
        for place, key in enumerate(keys):
            key.display = place not in gone
