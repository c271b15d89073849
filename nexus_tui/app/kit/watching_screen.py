"""A screen that follows files: it reads them at intervals while it is in front."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.timer import Timer

from nexus_tui.app.kit.frame import NexusScreen

__all__ = ["READING", "WatchingScreen"]

READING = "reading"
"""The group of the reading workers; a screen handles their end in `on_worker_state_changed`."""


class WatchingScreen(NexusScreen):
    """Override `read_disk`. It runs every `READ_SECONDS`, less often with low bandwidth."""

    READ_SECONDS: ClassVar[float] = 2.0
    SLOW_READ_SECONDS: ClassVar[float] = 5.0

    def __init__(self) -> None:
        super().__init__()
        self._reading_timer: Timer | None = None

    def read_disk(self) -> Any:
        """Read the disk and return the result; called in a worker thread, one call at a time."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Start the reading timer."""
        slow = self.nexus.settings.low_bandwidth
        seconds = self.SLOW_READ_SECONDS if slow else self.READ_SECONDS
        self._reading_timer = self.set_interval(seconds, self.read_now)

    def on_screen_resume(self) -> None:
        """Read at once on coming to the front, then at intervals."""
        super().on_screen_resume()
        if self._reading_timer is not None:
            self._reading_timer.resume()
        self.read_now()

    def on_screen_suspend(self) -> None:
        """Pause while another screen is in front."""
        if self._reading_timer is not None:
            self._reading_timer.pause()

    def read_now(self) -> None:
        """Read now, unless a reading is in progress."""
        if not any(worker.group == READING and not worker.is_finished for worker in self.workers):
            self.run_worker(self.read_disk, thread=True, group=READING, exit_on_error=False)
