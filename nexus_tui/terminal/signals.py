"""Signals during a run: each asks the run to save and end. A second Ctrl-C ends it at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from nexus_engine.errors import ExitCode

if TYPE_CHECKING:
    from nexus_engine.training.steering import Steering

__all__ = ["SignalRequests", "steered_by_signals"]

SHOW_CURSOR = b"\x1b[?25h\r\n"

STOPS = {
    signal.SIGINT: ("interrupted", ExitCode.INTERRUPTED),
    signal.SIGTERM: ("terminated", ExitCode.TERMINATED),
    signal.SIGHUP: ("hung up", ExitCode.HANGUP),
}


@dataclass(slots=True)
class SignalRequests:
    """The requests made by signals so far."""

    stop: bool = False
    interrupts: int = 0


@contextlib.contextmanager
def steered_by_signals(steering: Steering) -> Iterator[SignalRequests]:
    """Inside the context, SIGINT, SIGTERM and SIGHUP stop the run with a checkpoint.

    Yields the requests so far. Outside the main thread it handles no signal.

    An ignored SIGHUP stays ignored, as under `nohup`. An ignored SIGINT does not: a shell's `&`
    ignores it, yet whoever sends it to the process means it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield SignalRequests()
        return
    requests = SignalRequests()

    def handle(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            requests.interrupts += 1
            if requests.interrupts > 1:
                _end_at_once()
        requests.stop = True
        reason, code = STOPS[signal.Signals(number)]
        steering.stop(reason, code)

    former_handlers = {}
    for number in STOPS:
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue
        former_handlers[number] = signal.signal(number, handle)
    try:
        yield requests
    finally:
        for number, former in former_handlers.items():
            signal.signal(number, former if former is not None else signal.SIG_DFL)


def _end_at_once() -> None:
    """Exit without waiting for anything; the last whole checkpoint remains."""
    with contextlib.suppress(OSError):
        if os.isatty(2):
            os.write(2, SHOW_CURSOR)
    os._exit(int(ExitCode.INTERRUPTED))
