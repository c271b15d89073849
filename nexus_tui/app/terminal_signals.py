"""Signals while the app is up: the run is told at once, then the screen goes."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from nexus_tui.app.endings import Ending

if TYPE_CHECKING:
    from nexus_tui.app.application import NexusApp

__all__ = ["app_signals"]

ENDINGS: dict[int, Ending] = {
    signal.SIGHUP: "hung up",
    signal.SIGTERM: "terminated",
    signal.SIGINT: "interrupted",
}


@contextlib.contextmanager
def app_signals(app: NexusApp) -> Iterator[None]:
    """While inside, SIGHUP, SIGTERM and SIGINT make the screen go in good order.

    Plain handlers and not the event loop's: those are gone as soon as the loop ends, and the next
    signal would then kill a run that is saving. After a SIGHUP no other one is listened to.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def met(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        app.leave_by_signal(ENDINGS[number])

    former = {number: signal.signal(number, met) for number in ENDINGS}
    try:
        yield
    finally:
        for number, handler in former.items():
            kept = number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN
            if not kept:
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)
