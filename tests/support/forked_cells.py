"""Cells of a sweep forked from a process that has the engine loaded: a start takes no seconds."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from reliability import children, tiny_runs

from nexus_engine.sweeps.cell import run_cell
from nexus_engine.sweeps.processes import Processes

__all__ = ["ForkedProcesses"]


def _run(sweep: str, cell: str) -> None:
    tiny_runs.make_tiny()
    sys.exit(run_cell(Path(sweep), cell, 1, os.getppid()))


def _begin(run: Callable[[str, str], None], sweep: str, cell: str, errors: str) -> None:
    """In the child: its stderr goes where the sweep reads it."""
    with open(errors, "ab") as file:
        os.dup2(file.fileno(), 2)
    run(sweep, cell)


class _Child:
    """What `Processes` asks of a child."""

    def __init__(self, *arguments: object) -> None:
        self._process = children.context().Process(target=_begin, args=arguments, daemon=True)
        self._process.start()
        self.terminate, self.kill = self._process.terminate, self._process.kill

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode


class ForkedProcesses(Processes):
    """As `Processes`, but for how a child comes to be; `run` is what it does."""

    run = staticmethod(_run)

    def start(self, cell: str) -> None:
        errors = tempfile.NamedTemporaryFile()  # noqa: SIM115 - closed when the child has ended
        self._live[cell] = (_Child(self.run, str(self._sweep), cell, errors.name), errors)
