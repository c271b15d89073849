"""Steering for a training in a child process: stopped by signals, and by its parent's death."""

from __future__ import annotations

import signal
from types import FrameType

from nexus_engine.errors import ExitCode
from nexus_engine.runs.requests import ControlFile
from nexus_engine.system.parent_watch import is_gone
from nexus_engine.training.steering import Steering

__all__ = ["ChildSteering"]


class ChildSteering(Steering):
    """INT, TERM and HUP stop the training within a step; so does the end of the process `parent`.

    `parent` is the id that the parent passed of itself. Asked of the system here, it would be that
    of another process where the parent has died already.
    """

    def __init__(self, parent: int, control: ControlFile | None = None) -> None:
        super().__init__(control)
        self._parent = parent
        try:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, self._asked)
        except ValueError:  # not the main thread: whoever runs it there has its own way to stop it
            pass

    @property
    def orphaned(self) -> bool:
        """Whether the parent process is gone: nobody waits for the result."""
        return is_gone(self._parent)

    def _asked(self, number: int, _: FrameType | None) -> None:
        self.stop(signal.Signals(number).name, ExitCode(128 + number))

    def check(self) -> None:
        """Also look whether the parent is still there."""
        if self.orphaned:
            self.stop("parent gone", ExitCode.FAILED)
        super().check()
