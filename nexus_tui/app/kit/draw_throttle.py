"""How often a live screen draws: at once when something happens, else at a bounded rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from textual.screen import Screen

from nexus_engine.events import Event, Step
from nexus_tui.app.kit.host import host_of

__all__ = ["DrawThrottle"]

FIGURES_SECONDS = 0.5
"""Between two drawings of figures that tick."""
AT_ONCE_SECONDS = 0.1
"""Between two drawings whatever comes in."""


class DrawThrottle:
    """Draws now or soon, never more often than it may; what came last is always drawn.

    While only steps come in, `seconds` lie between two drawings, twice that with low bandwidth.
    """

    def __init__(self, seconds: float = FIGURES_SECONDS) -> None:
        self._seconds = seconds
        self._drawn_at = 0.0
        self._waiting = False

    def request_draw(
        self, screen: Screen[None], draw: Callable[[], None], events: Sequence[Event]
    ) -> None:
        """There are new events: draw. Without events something else changed: draw at once."""
        only_steps = bool(events) and all(isinstance(event, Step) for event in events)
        slow = 2 if host_of(screen).settings.low_bandwidth else 1
        pause = self._seconds * slow if only_steps else AT_ONCE_SECONDS if events else 0.0
        left = self._drawn_at + pause - time.monotonic()
        if left <= 0:
            self._drawn_at = time.monotonic()
            draw()
        elif not self._waiting:
            self._waiting = True
            screen.set_timer(left, lambda: self._late(screen, draw))

    def _late(self, screen: Screen[None], draw: Callable[[], None]) -> None:
        self._waiting = False
        if screen.app.screen is screen:  # one that comes to the front again is drawn then
            self._drawn_at = time.monotonic()
            draw()
