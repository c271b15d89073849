"""The screen compare."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Static

from nexus_tui.app.frame import NexusScreen

__all__ = ["CompareScreen"]


class CompareScreen(NexusScreen):
    """To be built."""

    def body(self) -> ComposeResult:
        """Nothing yet."""
        yield Static("compare")
