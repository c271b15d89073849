"""Where the events of a run come from: a session of this process, or the log of another run.

Both look the same to the screens: `drain` returns new events without waiting; `steer` sends a
request.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nexus_engine.errors import one_line
from nexus_engine.events import TERMINAL_EVENTS, Event, Step
from nexus_engine.runs.requests import Ask, ControlFile
from nexus_engine.runs.summary import state_of

if TYPE_CHECKING:
    from nexus_engine.config import Settings
    from nexus_engine.session import Session

__all__ = ["LoggedRun", "RunSource", "SessionRun", "create_session"]


class RunSource(Protocol):
    """A run whose events can be read. `own` says that this process trains it."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def path(self) -> Path: ...  # noqa: D102
    @property
    def own(self) -> bool: ...  # noqa: D102
    @property
    def dropped_steps(self) -> int: ...  # noqa: D102

    def drain(self) -> list[Event]:
        """The events since the last call, oldest first."""

    def live(self) -> bool:
        """Whether more events may come."""

    def steer(self, request: Ask) -> None:
        """Send `request` to the run."""


class SessionRun:
    """The run that a session of this process trains."""

    own = True

    def __init__(self, session: Session, history: Sequence[Event] = ()) -> None:
        """`history` holds the events of a resumed run from before it was resumed."""
        self.session = session
        self.starting = True
        """Whether no event has come from the session yet."""
        self._history = [event for event in history if not isinstance(event, TERMINAL_EVENTS)]
        self._subscription = session.subscribe()
        self.path = session.folder.path
        self.name = session.folder.name

    @property
    def dropped_steps(self) -> int:
        """Number of step events that were dropped because the screen was too far behind."""
        return self._subscription.dropped_steps

    def drain(self) -> list[Event]:
        """The events since the last call, oldest first."""
        events = self._subscription.drain()
        self.starting = self.starting and not events
        history, self._history = self._history, []
        return [*history, *events]

    def live(self) -> bool:
        """Whether the worker thread is alive."""
        return self.session.alive

    def steer(self, request: Ask) -> None:
        """Send `request` to the session."""
        self.session.steering.do(request)


class LoggedRun:
    """A run read from its folder: live in another process, or ended (then this is a replay)."""

    own = False

    def __init__(self, path: Path) -> None:
        from nexus_engine.runs.event_reading import EventLog  # numpy: not before the first paint

        self.path = path
        self.name = one_line(path.name, 100)
        self._log = EventLog(path / "events.jsonl")
        self._opened = False
        self._ended = False
        self._control = ControlFile(path)
        self.dropped_steps = 0

    def drain(self) -> list[Event]:
        """The events since the last call; the first call returns the log so far, condensed."""
        if self._opened:
            events = self._log.read_new()
        else:
            self._opened = True
            events = self._log.overview()
        for event in events:
            if not isinstance(event, Step):
                self._ended = isinstance(event, TERMINAL_EVENTS)
        return events

    def live(self) -> bool:
        """Whether a live process still writes this log."""
        if self._ended:
            return False
        return state_of(self.path) == "live"

    def steer(self, request: Ask) -> None:
        """Send `request` through the control file in the run's folder."""
        self._control.send(request)


def create_session(settings: Settings, resume: Path | None) -> tuple[Session, list[Event]]:
    """A session in a new folder, or in that of the run `resume`, and the resumed run's events.

    It imports torch, so it belongs in a worker thread.

    Raises:
        NexusError: the folder exists, or is no run that can be resumed.
        OSError: it cannot be made or read.
    """
    from nexus_engine.runs.event_reading import EventLog
    from nexus_engine.runs.folder import RunFolder
    from nexus_engine.session import Session

    if resume is None:
        label = f"{Path(settings.data).stem}-{settings.tune}"
        folder = RunFolder.create(None, label)
    else:
        folder = RunFolder(resume)
    session = Session(settings, folder, resume=resume is not None)
    return session, EventLog(folder.events_file).overview() if resume is not None else []
