"""A run in a worker thread, and the subscriptions that receive its events.

This is the only file of the engine that starts a thread for training. The worker iterates over
`train`, which writes each event to the run folder, and puts each event into every subscription. The
only way back into the run is steering.
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

__all__ = ["Session"]

MAX_QUEUED = 10_000
"""Events that a subscription holds for a slow reader. Beyond it, only step events are dropped."""


@dataclass(slots=True)
class Subscription:
    """A queue of events for one reader. `dropped_steps` counts step events lost to a full queue."""

    events: queue.SimpleQueue[Event] = field(default_factory=queue.SimpleQueue)
    dropped_steps: int = 0

    def put(self, event: Event) -> None:
        """Add an event. A step event is dropped if the queue is full."""
        if isinstance(event, Step) and self.events.qsize() >= MAX_QUEUED:
            self.dropped_steps += 1
            return
        self.events.put(event)

    def drain(self) -> list[Event]:
        """The events in the queue, oldest first. Does not wait."""
        events: list[Event] = []
        while True:
            try:
                events.append(self.events.get_nowait())
            except queue.Empty:
                return events

    def follow(self, poll_seconds: float = 0.2) -> Iterator[Event]:
        """Yield every event up to and including the terminal one, and wait for each.

        Each wait is at most `poll_seconds` long, so that the main thread can handle signals.
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
    """One run in one worker thread. `steering` controls it; `subscribe` delivers its events."""

    def __init__(self, settings: Settings, folder: RunFolder, *, resume: bool = False) -> None:
        self.folder = folder
        self.ended: RunFinished | RunFailed | RunStopped | None = None
        """The terminal event; None until the run ends."""
        self.steering = Steering(ControlFile(folder.path))
        self._settings = settings
        self._resume = resume
        self._subscriptions: list[Subscription] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="nexus-training", daemon=True)

    def subscribe(self) -> Subscription:
        """A new subscription, which receives every event from now on."""
        subscription = Subscription()
        with self._lock:
            self._subscriptions.append(subscription)
        return subscription

    def start(self) -> None:
        """Start the run."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the worker thread is running."""
        return self._thread.is_alive()

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait until the worker ends or the time is over; return whether it has ended."""
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _publish(self, event: Event) -> None:
        with self._lock:
            for subscription in self._subscriptions:
                subscription.put(event)

    def _work(self) -> None:
        """Run the training. Exactly one terminal event is published, whatever happens."""
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
