"""What is typed before a screen is there waits for it."""

from __future__ import annotations

from collections import deque
from typing import Any

from textual import events
from textual.app import ScreenStackError

from nexus_tui.app.terminal.textual_private import QuietApp

__all__ = ["TypedAheadApp"]

WAIT_SECONDS = 0.01
"""Between two checks whether the screen is there for which keys wait."""


class TypedAheadApp(QuietApp):
    """An app that passes keys and pastes on to a screen only when its widgets are there.

    The keys of a screen that is still being made are in force already. What is typed before the
    first screen or after the last is lost.
    """

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.leaving = False
        """Whether the app is on its way out: widgets may be gone that a screen still looks for."""
        self._typed: deque[events.Event] = deque()

    def exit(self, *given: Any, **named: Any) -> None:
        """Leave."""
        self.leaving = True
        super().exit(*given, **named)

    async def on_event(self, event: events.Event) -> None:
        """Textual's own entry."""
        if isinstance(event, events.InputEvent | events.Paste):
            self._typed.append(event)
            await self._pass_on_typed()
        else:
            await super().on_event(event)

    async def _pass_on_typed(self) -> None:
        while self._typed:
            if self.leaving:  # a key that opens a screen now would open it while all are closed
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
