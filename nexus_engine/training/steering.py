"""Requests to a live run: stop, pause, grow now, roll back."""

from __future__ import annotations

import threading
from typing import NamedTuple

from nexus_engine.errors import ExitCode
from nexus_engine.growth import Request
from nexus_engine.runs.requests import Ask, ControlFile

__all__ = ["Steering", "StopAsked", "StopReason"]


class StopReason(NamedTuple):
    """Why a run stops, in a word, and its exit code."""

    word: str
    exit_code: ExitCode


class StopAsked(Exception):  # noqa: N818 - not an error: it carries a stop out of the loop
    """Raised in the training loop at a requested stop; `train` turns it into a RunStopped."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason.word)
        self.reason = reason


PAUSE_POLL_SECONDS = 0.2


class Steering:
    """Requests to one run, made from any thread and met by the loop at its next step.

    With `control`, the requests of other processes are met too.
    """

    def __init__(self, control: ControlFile | None = None) -> None:
        self._control = control
        self._stop: StopReason | None = None
        self._request: Request | None = None
        self._running = threading.Event()
        self._running.set()
        self._lock = threading.Lock()

    def stop(self, word: str = "stop", exit_code: ExitCode = ExitCode.OK) -> None:
        """Request a checkpoint and the end of the run; ends a pause. The first reason is kept."""
        # No lock: a signal handler calls this, perhaps while its own thread holds the lock.
        if self._stop is None:
            self._stop = StopReason(word, exit_code)
        self._running.set()

    def pause(self) -> None:
        """Make the loop wait before its next step."""
        self._running.clear()

    def resume(self) -> None:
        """Let a paused loop continue."""
        self._running.set()

    @property
    def paused(self) -> bool:
        """Whether a pause was requested."""
        return not self._running.is_set()

    def submit(self, request: Request) -> None:
        """Request to grow a set now or to roll back the last one; the latest request is kept."""
        with self._lock:
            self._request = request

    def take_request(self) -> Request | None:
        """Remove and return the pending request."""
        with self._lock:
            request, self._request = self._request, None
        return request

    @property
    def requested(self) -> bool:
        """Whether a request is pending."""
        return self._request is not None

    def do(self, ask: Ask) -> None:
        """Carry out a request by its name."""
        match ask:
            case "stop":
                self.stop("stop", ExitCode.TERMINATED)
            case "pause":
                self.pause()
            case "resume":
                self.resume()
            case "grow" | "roll_back":
                self.submit(ask)

    def check(self) -> None:
        """Meet all requests; called before each step and each batch of an evaluation.

        Raises:
            StopAsked: a stop was requested.
        """
        if self._control is not None:
            for ask in self._control.take():
                self.do(ask)
        if self._stop is not None:
            raise StopAsked(self._stop)

    def wait_while_paused(self) -> None:
        """Return once the run is not paused.

        Raises:
            StopAsked: a stop was requested, before or during the pause.
        """
        while not self._running.wait(PAUSE_POLL_SECONDS):
            self.check()
        self.check()
