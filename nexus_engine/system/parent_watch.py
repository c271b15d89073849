"""A child process that ends when the process that started it dies.

The parent passes its own process id. So the child also notices a parent that died before the
child's first instruction: by then the system has given the child another parent.

Linux can send a signal at the parent's death (PR_SET_PDEATHSIG). It is not used for three reasons:
the signal is sent when the thread that started the child ends, even if the process lives on; a
child that is saving could not tell it from a stop request; and other systems lack it. Checking the
parent's id four times a second costs nothing.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable

__all__ = ["ParentWatch", "is_gone"]

CHECK_SECONDS = 0.25
EXIT_CODE = 1


def is_gone(parent: int) -> bool:
    """Whether the process `parent`, which started this one, has died."""
    return os.getppid() != parent


class ParentWatch:
    """Ends this process at once when its parent dies, until `release`; make it before long imports.

    `clean_up` is called just before, to remove what nobody else would. The end is as abrupt as
    SIGKILL, so files being written must survive that.
    """

    def __init__(self, parent: int, clean_up: Callable[[], object] | None = None) -> None:
        self._parent = parent
        self._clean_up = clean_up
        self._released = threading.Event()
        if is_gone(parent):
            self._end()
        threading.Thread(target=self._watch, name="nexus-parent", daemon=True).start()

    def release(self) -> None:
        """Stop watching; from now on the process itself handles the parent's death."""
        self._released.set()

    def _watch(self) -> None:
        while not self._released.wait(CHECK_SECONDS):
            if is_gone(self._parent):
                self._end()

    def _end(self) -> None:
        if self._clean_up is not None:
            with contextlib.suppress(Exception):
                self._clean_up()
        os._exit(EXIT_CODE)
