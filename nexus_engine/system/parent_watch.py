"""A child process that does not outlive the process that started it.

The parent passes its own process id, so that the child can tell also where the parent died before
the child's first instruction: the system then has given the child another parent already.

Linux could send a signal at the parent's death (PR_SET_PDEATHSIG). It is not used: the signal comes
when the thread ends that started the child, which need not be the end of the process; a child that
is about to be saved would have to tell it from a stop that somebody asked for; and other systems
have no such thing. A look at the parent's id four times a second costs nothing.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable

__all__ = ["ParentWatch", "is_gone"]

LOOK_SECONDS = 0.25
EXIT_CODE = 1


def is_gone(parent: int) -> bool:
    """Whether the process `parent`, which started this one, has died."""
    return os.getppid() != parent


class ParentWatch:
    """Ends this process at once when its parent dies, until `release`; make it before long imports.

    `leave` is called just before, to take away what nobody else would. The end is as abrupt as
    SIGKILL: what is written meanwhile must survive that.
    """

    def __init__(self, parent: int, leave: Callable[[], object] | None = None) -> None:
        self._parent = parent
        self._leave = leave
        self._released = threading.Event()
        if is_gone(parent):
            self._end()
        threading.Thread(target=self._watch, name="nexus-parent", daemon=True).start()

    def release(self) -> None:
        """From now on the process decides by itself what the parent's death means."""
        self._released.set()

    def _watch(self) -> None:
        while not self._released.wait(LOOK_SECONDS):
            if is_gone(self._parent):
                self._end()

    def _end(self) -> None:
        if self._leave is not None:
            with contextlib.suppress(Exception):
                self._leave()
        os._exit(EXIT_CODE)
