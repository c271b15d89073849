"""What may be asked of a live run from outside: stop, pause, grow now, roll back."""

from __future__ import annotations

import threading
from typing import NamedTuple

from nexus_engine.errors import ExitCode
from nexus_engine.growth import Request
from nexus_engine.runs.requests import Ask, ControlFile

__all__ = ["Steering", "StopAsked", "StopReason"]


class StopReason(NamedTuple):
    """Why a run is to stop, in a word, and the exit code that this means."""

    word: str
    exit_code: ExitCode


class StopAsked(Exception):  # noqa: N818 - not an error: how a stop leaves the loop
    """Raised inside the loop when a stop was asked; caught by the loop alone."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason.word)
        self.reason = reason


PAUSE_LOOK_SECONDS = 0.2


class Steering:
    """Requests to one run, set from any thread and met by the loop at its next step.

    With `control`, what other processes ask is heard too.
    """

    def __init__(self, control: ControlFile | None = None) -> None:
        self._control = control
        self._stop: StopReason | None = None
        self._request: Request | None = None
        self._running = threading.Event()
        self._running.set()
        self._lock = threading.Lock()

    def stop(self, word: str = "stop", exit_code: ExitCode = ExitCode.OK) -> None:
        """Ask for a checkpoint and an end. The first reason stands. Ends a pause."""
        # No lock: a signal handler calls this, perhaps while its own thread holds the lock.
        if self._stop is None:
            self._stop = StopReason(word, exit_code)
        self._running.set()

    def pause(self) -> None:
        """Ask the loop to wait before its next step."""
        self._running.clear()

    def resume(self) -> None:
        """Let a paused loop go on."""
        self._running.set()

    @property
    def paused(self) -> bool:
        """Whether a pause was asked."""
        return not self._running.is_set()

    def ask(self, request: Request) -> None:
        """Ask to grow a set now, or to roll back the last one; the latest request stands."""
        with self._lock:
            self._request = request

    def take_request(self) -> Request | None:
        """The pending request, which is then no longer pending."""
        with self._lock:
            request, self._request = self._request, None
        return request

    @property
    def requested(self) -> bool:
        """Whether a request is pending."""
        return self._request is not None

    def do(self, ask: Ask) -> None:
        """Do what was asked, by its name."""
        match ask:
            case "stop":
                self.stop("stop", ExitCode.TERMINATED)
            case "pause":
                self.pause()
            case "resume":
                self.resume()
            case "grow" | "roll_back":
                self.ask(ask)

    def _listen(self) -> None:
        if self._control is not None:
            for ask in self._control.take():
                self.do(ask)

    def check(self) -> None:
        """Meet what was asked; called before each step and each batch of an evaluation.

        Raises:
            StopAsked: a stop was asked.
        """
        self._listen()
        if self._stop is not None:
            raise StopAsked(self._stop)

    def wait_while_paused(self) -> None:
        """Come back when there is no pause, or no longer.

        Raises:
            StopAsked: a stop was asked, before or meanwhile.
        """
        while not self._running.wait(PAUSE_LOOK_SECONDS):
            self.check()
        self.check()
