"""Signals while the app is open: each stops or releases the run, then closes the screen."""

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
    """Inside this context, SIGHUP, SIGTERM and SIGINT close the screen in good order.

    These are plain handlers, not the event loop's: those end with the loop, and the next signal
    would kill a run that is saving. After the first SIGHUP, further ones are ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        app.leave_by_signal(ENDINGS[number])

    previous = {number: signal.signal(number, handle) for number in ENDINGS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            ignored = number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN
            if not ignored:
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)
