"""The log of the open run at full size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from nexus_engine.events import Event
from nexus_tui.app.kit.frame import NexusScreen
from nexus_tui.app.live.log_view import LogView

__all__ = ["LogScreen"]


class LogScreen(NexusScreen):
    """The log of the open run alone; it follows a live run."""

    DEFAULT_CSS = "LogScreen > #body { padding: 0 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,o", "close", "Back", id="log.close"),
    ]

    def body(self) -> ComposeResult:
        """The log view."""
        yield LogView()

    def on_mount(self) -> None:
        """Focus the log."""
        view = self.query_one(LogView)
        view.open(self.nexus.open_run)
        view.focus()

    def run_changed(self, events: Sequence[Event]) -> None:  # noqa: ARG002
        """Draw at once: log lines are rare."""
        view = self.query_one(LogView)
        if view.run is not self.nexus.open_run:
            view.open(self.nexus.open_run)
        view.redraw()

    def action_close(self) -> None:
        """Return to the live screen."""
        self.dismiss()
