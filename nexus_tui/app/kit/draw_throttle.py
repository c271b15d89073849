"""Limits how often a live screen draws."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from textual.screen import Screen

from nexus_engine.events import Event, Step
from nexus_tui.app.kit.host import host_of

__all__ = ["DrawThrottle"]

STEP_SECONDS = 0.5
"""Time between two drawings while only step events arrive."""
MIN_SECONDS = 0.1
"""Time between two drawings whatever arrives."""


class DrawThrottle:
    """Draws now or soon, at a bounded rate; the last state is always drawn.

    While only step events arrive, two drawings are `seconds` apart, twice that with low bandwidth.
    """

    def __init__(self, seconds: float = STEP_SECONDS) -> None:
        self._seconds = seconds
        self._drawn_at = 0.0
        self._waiting = False

    def request_draw(
        self, screen: Screen[None], draw: Callable[[], None], events: Sequence[Event]
    ) -> None:
        """Draw after new `events`; without events something else changed, so draw at once."""
        only_steps = bool(events) and all(isinstance(event, Step) for event in events)
        slow = 2 if host_of(screen).settings.low_bandwidth else 1
        pause = self._seconds * slow if only_steps else MIN_SECONDS if events else 0.0
        left = self._drawn_at + pause - time.monotonic()
        if left <= 0:
            self._drawn_at = time.monotonic()
            draw()
        elif not self._waiting:
            self._waiting = True
            screen.set_timer(left, lambda: self._draw_late(screen, draw))

    def _draw_late(self, screen: Screen[None], draw: Callable[[], None]) -> None:
        self._waiting = False
        if screen.app.screen is screen:  # else it is drawn when it returns to the front
            self._drawn_at = time.monotonic()
            draw()
