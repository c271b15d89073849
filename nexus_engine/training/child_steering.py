"""Steering of a training in a child process: signals and the parent's death stop it."""

from __future__ import annotations

import signal
from types import FrameType

from nexus_engine.errors import ExitCode
from nexus_engine.runs.requests import ControlFile
from nexus_engine.system.parent_watch import is_gone
from nexus_engine.training.steering import Steering

__all__ = ["ChildSteering"]


class ChildSteering(Steering):
    """SIGINT, SIGTERM, SIGHUP and the end of the process `parent` stop the training within a step.

    `parent` is the process id that the parent has passed. `os.getppid` would give the id of another
    process if the parent has died already.
    """

    def __init__(self, parent: int, control: ControlFile | None = None) -> None:
        super().__init__(control)
        self._parent = parent
        try:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, self._on_signal)
        except ValueError:  # not the main thread: its caller stops it in another way
            pass

    @property
    def orphaned(self) -> bool:
        """Whether the parent process is gone, so that nobody waits for the result."""
        return is_gone(self._parent)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self.stop(signal.Signals(number).name, ExitCode(128 + number))

    def check(self) -> None:
        """As in `Steering`; also stops if the parent is gone."""
        if self.orphaned:
            self.stop("parent gone", ExitCode.FAILED)
        super().check()
