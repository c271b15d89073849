"""The run that the app has open: its source, the view that its events fold into, its log."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from rich.text import Text

from nexus_engine.errors import NexusError
from nexus_engine.events import (
    TERMINAL_EVENTS,
    DendritesAdded,
    EpochStarted,
    Event,
    PauseChanged,
    Step,
    SwitchSettled,
)
from nexus_engine.runs.requests import Ask
from nexus_engine.runs.run_view import RunView, reduce
from nexus_tui.app.run_sources import RunSource
from nexus_tui.words.lines import lines_of

__all__ = ["OpenRun"]

MAX_LINES = 500
"""Log lines that stay in memory."""

ANSWERED: dict[Ask, tuple[type[Event], ...]] = {
    "pause": (PauseChanged,),
    "resume": (PauseChanged, Step),
    "stop": (),
    "grow": (DendritesAdded, SwitchSettled, EpochStarted),
    "roll_back": (SwitchSettled, EpochStarted),
}
"""By request: the events that show that it is done. A terminal event always does."""


class OpenRun:
    """A source of events and the view that they fold into. Only the app's timer calls `poll`.

    `version` rises with each change of the view, so a widget can tell whether to draw anew.
    `lines_seen` counts all log lines, including those that `lines` no longer holds.
    """

    def __init__(self, source: RunSource) -> None:
        self.source = source
        self.view = RunView()
        self.lines: deque[Text] = deque(maxlen=MAX_LINES)
        self.lines_seen = 0
        self.version = 0
        self.requested: Ask | None = None
        """The user's last request to the run, until an event shows that it is done."""
        self.alive = True
        """Whether the run's process was alive at the last reading."""
        self.checkpoints = 0
        """Number of evaluations that were the best so far; each wrote new best weights to disk."""

    def poll(self) -> list[Event]:
        """Fold the new events into the view and return them."""
        events = self.source.drain()
        for event in events:
            self.view = reduce(self.view, event)
            for line in lines_of(self.view, event):
                self.lines.append(line)
                self.lines_seen += 1
            if getattr(event, "is_best", False):
                self.checkpoints += 1
        if self.requested is not None and _is_done(self.requested, events):
            self.requested = None
        self.version += bool(events)
        return events

    def steer(self, request: Ask) -> None:
        """Send `request` to the run.

        Raises:
            OSError: the run's folder cannot be written.
        """
        self.source.steer(request)
        self.requested = request

    def read_liveness(self) -> None:
        """Set `alive`; for a run of another process, this reads the disk.

        A worker thread may call this: it sets `alive` and nothing else.
        """
        try:
            self.alive = self.source.live()
        except (NexusError, OSError):
            self.alive = False

    @property
    def live(self) -> bool:
        """Whether the run has not ended and its process is alive; may read the disk."""
        return self.view.ended is None and self.source.live()


def _is_done(request: Ask, events: Iterable[Event]) -> bool:
    """Whether one of `events` shows that `request` is done or that the run has ended."""
    kinds = (*ANSWERED[request], *TERMINAL_EVENTS)
    return any(isinstance(event, kinds) for event in events)
