"""The screen playground."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Static

from nexus_tui.app.frame import NexusScreen

__all__ = ["PlaygroundScreen"]


class PlaygroundScreen(NexusScreen):
    """To be built."""

    def body(self) -> ComposeResult:
        """Nothing yet."""
        yield Static("playground")
