"""The run that the app has open: its source, folded into one view, and the log's lines."""

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

__all__ = ["OpenRun", "answered_by"]

LINES_KEPT = 500

ANSWERED: dict[Ask, tuple[type[Event], ...]] = {
    "pause": (PauseChanged,),
    "resume": (PauseChanged, Step),
    "stop": (),
    "grow": (DendritesAdded, SwitchSettled, EpochStarted),
    "roll_back": (SwitchSettled, EpochStarted),
}
"""Events that show that what was asked is done; a terminal event always does."""


class OpenRun:
    """A source and what its events have come to. `poll` is called by the screen's timer alone.

    `version` rises with each change of the view, so that a widget sees at a glance whether it has
    anything to draw. `lines_seen` counts all lines, also those that `lines` no longer holds.
    """

    def __init__(self, source: RunSource) -> None:
        self.source = source
        self.view = RunView()
        self.lines: deque[Text] = deque(maxlen=LINES_KEPT)
        self.lines_seen = 0
        self.version = 0
        self.requested: Ask | None = None
        """What the user has asked the run to do, until an event shows that it is done."""
        self.alive = True
        """Whether the run's process was there when it was last read."""
        self.checkpoints = 0
        """Evaluations that became the best so far: each left new best weights on disk."""

    def poll(self) -> list[Event]:
        """Fold in what is new; the new events."""
        events = self.source.drain()
        for event in events:
            self.view = reduce(self.view, event)
            for line in lines_of(self.view, event):
                self.lines.append(line)
                self.lines_seen += 1
            if getattr(event, "is_best", False):
                self.checkpoints += 1
        if self.requested is not None and answered_by(self.requested, events):
            self.requested = None
        self.version += bool(events)
        return events

    def steer(self, request: Ask) -> None:
        """Ask the run to do something.

        Raises:
            OSError: its folder cannot be written.
        """
        self.source.steer(request)
        self.requested = request

    def read_liveness(self) -> None:
        """Read whether the run's process is there; for another process's run, this reads the disk.

        May be called in a thread: it sets `alive` and nothing else.
        """
        try:
            self.alive = self.source.live()
        except (NexusError, OSError):
            self.alive = False

    @property
    def live(self) -> bool:
        """Whether the run still goes on."""
        return self.view.ended is None and self.source.live()


def answered_by(request: Ask, events: Iterable[Event]) -> bool:
    """Whether one of `events` shows that what was asked is done, or that the run has ended."""
    done = (*ANSWERED[request], *TERMINAL_EVENTS)
    return any(isinstance(event, done) for event in events)
