"""Signals while a run is live: each asks the run to save and end; a second Ctrl-C ends at once."""

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

__all__ = ["Asked", "steered_by_signals"]

SHOW_CURSOR = b"\x1b[?25h\r\n"

STOPS = {
    signal.SIGINT: ("interrupted", ExitCode.INTERRUPTED),
    signal.SIGTERM: ("terminated", ExitCode.TERMINATED),
    signal.SIGHUP: ("hung up", ExitCode.HANGUP),
}


@dataclass(slots=True)
class Asked:
    """What signals asked for."""

    stop: bool = False
    interrupts: int = 0


@contextlib.contextmanager
def steered_by_signals(steering: Steering) -> Iterator[Asked]:
    """While inside, SIGINT, SIGTERM and SIGHUP stop the run with a checkpoint.

    Yields what was asked so far.

    SIGHUP stays ignored where it was, as under `nohup`. SIGINT does not: a shell's `&` sets it to
    be ignored, yet whoever sends it to the process means it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield Asked()
        return
    so_far = Asked()

    def asked(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            so_far.interrupts += 1
            if so_far.interrupts > 1:
                _end_at_once()
        so_far.stop = True
        word, code = STOPS[signal.Signals(number)]
        steering.stop(word, code)

    former = {}
    for number in STOPS:
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue
        former[number] = signal.signal(number, asked)
    try:
        yield so_far
    finally:
        for number, handler in former.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def _end_at_once() -> None:
    """Leave without waiting for anything; the last whole checkpoint is what remains."""
    with contextlib.suppress(OSError):
        if os.isatty(2):
            os.write(2, SHOW_CURSOR)
    os._exit(int(ExitCode.INTERRUPTED))
