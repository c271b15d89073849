"""Jobs off the UI thread, one after another; a new job replaces an older one of the same kind.

The thread is a daemon that lives while there is work, so quitting never waits for it. Results come
back through `deliver`, which hands a function to the UI thread and does not wait.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from nexus_engine.errors import NexusError, one_line
from nexus_engine.system.shortages import out_of_memory

__all__ = ["Check", "WorkQueue"]

Result = TypeVar("Result")
Check = Callable[[], None]
"""Raises if the job was dropped."""


class _Dropped(Exception):  # noqa: N818 - not an error: how dropped work ends
    pass


class _Job:
    def __init__(
        self,
        kind: str,
        work: Callable[[Check], Any],
        done: Callable[[Any], None],
        failed: Callable[[str], None],
    ) -> None:
        self.kind, self.work, self.done, self.failed = kind, work, done, failed
        self.dropped = False

    def check(self) -> None:
        if self.dropped:
            raise _Dropped


class WorkQueue:
    """Takes jobs, from the UI thread only."""

    def __init__(self, deliver: Callable[[Callable[[], None]], object], name: str) -> None:
        self._deliver = deliver
        self._name = name
        self._lock = threading.Lock()
        self._waiting: dict[str, _Job] = {}
        self._running: _Job | None = None
        self._thread: threading.Thread | None = None

    def submit(
        self,
        kind: str,
        work: Callable[[Check], Result],
        done: Callable[[Result], None],
        failed: Callable[[str], None],
    ) -> None:
        """Run `work(check)` in the thread, then `done(result)` or `failed(message)` in the UI's.

        An earlier job of this kind is dropped.
        """
        self.drop(kind)
        with self._lock:
            self._waiting[kind] = _Job(kind, work, done, failed)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()

    def drop(self, kind: str) -> bool:
        """Drop the job of this kind; True if there was one."""
        with self._lock:
            job = self._waiting.pop(kind, None)
            running = self._running if self._running and self._running.kind == kind else None
            for dropped in (job, running):
                if dropped is not None:
                    dropped.dropped = True
        return job is not None or running is not None

    def wait(self, seconds: float) -> None:
        """Wait until the present jobs have ended, at most so long."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def end(self, seconds: float) -> None:
        """Drop all jobs and wait until the thread has ended, at most so long.

        A process that ends while a thread computes in torch is aborted (exit code 134).
        """
        with self._lock:
            for job in (*self._waiting.values(), self._running):
                if job is not None:
                    job.dropped = True
            self._waiting.clear()
        self.wait(seconds)

    def _next(self) -> _Job | None:
        with self._lock:
            kind = next(iter(self._waiting), None)
            self._running = None if kind is None else self._waiting.pop(kind)
            if self._running is None:
                self._thread = None
            return self._running

    def _work(self) -> None:
        while (job := self._next()) is not None:
            with contextlib.suppress(_Dropped):
                outcome = self._outcome(job)
                with contextlib.suppress(RuntimeError):  # the app has quit
                    self._deliver(partial(_finish, job, outcome))

    def _outcome(self, job: _Job) -> Callable[[], None]:
        """The call for the UI thread. Its messages never quote the user's sentences."""
        try:
            job.check()
            return partial(job.done, job.work(job.check))
        except _Dropped:
            raise
        except NexusError as error:
            message = one_line(error, 300)
        except Exception as error:
            message = _message(error)
        return partial(job.failed, message)


def _message(error: Exception) -> str:
    if out_of_memory(error):
        return "out of memory; use fewer or shorter sentences"
    if isinstance(error, OSError):
        where = f"{one_line(error.filename, 160)}: " if error.filename else ""
        return f"{where}{error.strerror or type(error).__name__}"
    return f"this could not be done ({type(error).__name__})"


def _finish(job: _Job, outcome: Callable[[], None]) -> None:
    if not job.dropped:
        outcome()
