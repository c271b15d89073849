"""The terminal as the app drives it: one that may go away at any time.

When an SSH connection drops, writing and reading fail and SIGHUP and SIGCONT arrive, in any order.
Textual's own driver then waits for ever for a writer thread that has died, or begins to draw anew.
This one takes a terminal that is gone for one that swallows everything.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any, TextIO

from textual.drivers.linux_driver import LinuxDriver

__all__ = ["LeavableDriver", "terminal_is_gone"]


def terminal_is_gone(handle: int = 0) -> bool:
    """Whether the terminal behind a file descriptor no longer answers."""
    try:
        os.tcgetpgrp(handle)
    except OSError:
        return True
    return False


class _Forgiving:
    """A stream that stays silent once writing to it has failed."""

    def __init__(self, stream: TextIO, failed: Callable[[], None]) -> None:
        self._stream = stream
        self._failed = failed
        self._broken = False

    def write(self, text: str) -> int:
        self._guarded(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._guarded(self._stream.flush)

    def _guarded(self, act: Callable[[], object]) -> None:
        if self._broken:
            return
        try:
            act()
        except (OSError, ValueError):
            self._broken = True
            self._failed()

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return True


class LeavableDriver(LinuxDriver):
    """Textual's driver, at peace with a terminal that goes away.

    The app's `terminal_lost` is called, on the app's own thread, when reading or writing fails.
    """

    def __init__(self, app: Any, **more: Any) -> None:
        super().__init__(app, **more)
        assert self._file is not None
        self._file = _Forgiving(self._file, self._lost)  # type: ignore[assignment]

    def _lost(self) -> None:
        with contextlib.suppress(RuntimeError):  # the app is over already
            self._app.call_later(self._app.terminal_lost)  # type: ignore[attr-defined]

    def _sigcont_application(self, *_: object) -> None:
        if not terminal_is_gone(self.fileno):
            super()._sigcont_application()

    def _run_input_thread(self) -> None:
        # A failure's traceback is not shown: what was typed may be in it.
        try:
            self.run_input_thread()
        except (OSError, ValueError):
            self._lost()
        except Exception as error:
            with contextlib.suppress(RuntimeError):
                self._app.call_later(self._app._handle_exception, error)
