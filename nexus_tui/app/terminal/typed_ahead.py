"""Keys typed before a screen is mounted wait for it."""

from __future__ import annotations

from collections import deque
from typing import Any

from textual import events
from textual.app import ScreenStackError

from nexus_tui.app.terminal.textual_private import QuietApp

__all__ = ["TypedAheadApp"]

WAIT_SECONDS = 0.01
"""Time between two checks whether the screen for which keys wait is mounted."""


class TypedAheadApp(QuietApp):
    """An app that passes keys and pastes on to a screen only once it is mounted.

    Textual would run the key bindings of a screen before its widgets exist. Keys typed before the
    first screen or after the last are lost.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.leaving = False
        """Whether the app is closing: a screen may look for widgets that are gone."""
        self._typed: deque[events.Event] = deque()

    def exit(self, *arguments: Any, **options: Any) -> None:
        """Leave the app."""
        self.leaving = True
        super().exit(*arguments, **options)

    async def on_event(self, event: events.Event) -> None:
        """Queue keys and pastes; Textual calls this for every event."""
        if isinstance(event, events.InputEvent | events.Paste):
            self._typed.append(event)
            await self._pass_on_typed()
        else:
            await super().on_event(event)

    async def _pass_on_typed(self) -> None:
        while self._typed:
            if self.leaving:  # a key must not open a screen while all are being closed
                self._typed.clear()
                return
            try:
                ready = self.screen.is_mounted
            except ScreenStackError:
                self._typed.clear()
                return
            if not ready:
                self.set_timer(WAIT_SECONDS, self._pass_on_typed)
                return
            await super().on_event(self._typed.popleft())
