"""The run that the app has open: its source, folded into one view, and the log's lines."""

from __future__ import annotations

from collections import deque

from rich.text import Text

from nexus_engine.events import Event
from nexus_engine.runs.run_view import RunView, reduce
from nexus_tui.app.run_sources import RunSource
from nexus_tui.words.lines import lines_of

__all__ = ["OpenRun"]

LINES_KEPT = 500


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
        self.version += bool(events)
        return events

    @property
    def live(self) -> bool:
        """Whether the run still goes on."""
        return self.view.ended is None and self.source.live()
