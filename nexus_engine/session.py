"""A run in a thread of its own, and those who watch it.

This is the one file of the engine that starts a thread for training. The worker drives `train`,
which writes each event into the run folder, and hands each to every subscription. Only steering
goes the other way.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from nexus_engine.config import Settings
from nexus_engine.events import (
    TERMINAL_EVENTS,
    Event,
    RunFailed,
    RunFinished,
    RunStopped,
    Step,
)
from nexus_engine.runs.failures import failure
from nexus_engine.runs.folder import RunFolder
from nexus_engine.runs.requests import ControlFile
from nexus_engine.training.run import train
from nexus_engine.training.steering import Steering

__all__ = ["Session", "Subscription"]

QUEUE_LIMIT = 10_000
"""Events that a subscription holds for a slow reader; beyond it, step events alone are dropped."""


@dataclass(slots=True)
class Subscription:
    """A bounded queue of events. `dropped_steps` counts the step events that found it full."""

    events: queue.SimpleQueue[Event] = field(default_factory=queue.SimpleQueue)
    dropped_steps: int = 0

    def put(self, event: Event) -> None:
        """Add an event; a step event may be dropped when the reader is far behind."""
        if isinstance(event, Step) and self.events.qsize() >= QUEUE_LIMIT:
            self.dropped_steps += 1
            return
        self.events.put(event)

    def drain(self) -> list[Event]:
        """All waiting events, oldest first, without waiting."""
        found: list[Event] = []
        while True:
            try:
                found.append(self.events.get_nowait())
            except queue.Empty:
                return found

    def follow(self, poll_seconds: float = 0.2) -> Iterator[Event]:
        """Every event up to and including the terminal one, waiting for each.

        The wait is cut into short ones so that the main thread can meet signals.
        """
        while True:
            try:
                event = self.events.get(timeout=poll_seconds)
            except queue.Empty:
                continue
            yield event
            if isinstance(event, TERMINAL_EVENTS):
                return


class Session:
    """One run in one worker thread. Steer it by `steering`; watch it by `subscribe`."""

    def __init__(self, settings: Settings, folder: RunFolder, *, resume: bool = False) -> None:
        self.folder = folder
        self.ended: RunFinished | RunFailed | RunStopped | None = None
        """The terminal event, once there is one."""
        self.steering = Steering(ControlFile(folder.path))
        self._settings = settings
        self._resume = resume
        self._subscriptions: list[Subscription] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="nexus-training", daemon=True)

    def subscribe(self) -> Subscription:
        """A subscription that gets every event from now on."""
        subscription = Subscription()
        with self._lock:
            self._subscriptions.append(subscription)
        return subscription

    def start(self) -> None:
        """Begin the run."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the worker still works."""
        return self._thread.is_alive()

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait for the worker to end; whether it has."""
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _publish(self, event: Event) -> None:
        with self._lock:
            for subscription in self._subscriptions:
                subscription.put(event)

    def _work(self) -> None:
        """The worker: exactly one terminal event is published, whatever happens."""
        events = train(self._settings, self.folder, self.steering, resume=self._resume)
        try:
            for event in events:
                if isinstance(event, TERMINAL_EVENTS):
                    self.ended = event
                self._publish(event)
        except Exception as error:
            if self.ended is None:
                self.ended = failure(error, self.folder.path)
                self._publish(self.ended)
