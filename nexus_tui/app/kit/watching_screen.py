"""A screen that follows files: it looks at them now and then while it is in front."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.timer import Timer

from nexus_tui.app.kit.frame import NexusScreen

__all__ = ["LOOK", "LookingScreen"]

LOOK = "look"
"""Group of the workers that look; a screen handles their end in `on_worker_state_changed`."""


class LookingScreen(NexusScreen):
    """Override `look`. Seconds between two looks: the second figure is for low bandwidth."""

    LOOK_SECONDS: ClassVar[float] = 2.0
    SLOW_LOOK_SECONDS: ClassVar[float] = 5.0

    def __init__(self) -> None:
        super().__init__()
        self._looking: Timer | None = None

    def look(self) -> Any:
        """What is found on the disk; called in a thread of its own, one at a time."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Begin to look."""
        slow = self.nexus.settings.low_bandwidth
        seconds = self.SLOW_LOOK_SECONDS if slow else self.LOOK_SECONDS
        self._looking = self.set_interval(seconds, self.look_now)

    def on_screen_resume(self) -> None:
        """To the front: something may have changed."""
        super().on_screen_resume()
        if self._looking is not None:
            self._looking.resume()
        self.look_now()

    def on_screen_suspend(self) -> None:
        """Rest while another screen is in front."""
        if self._looking is not None:
            self._looking.pause()

    def look_now(self) -> None:
        """Look, unless a look is under way."""
        if not any(worker.group == LOOK and not worker.is_finished for worker in self.workers):
            self.run_worker(self.look, thread=True, group=LOOK, exit_on_error=False)
