"""One run of a sweep, in a process of its own: `python -m nexus_engine.sweeps.cell SWEEP CELL N`.

Begins the run, goes on with it, or does nothing where it is finished already. INT, TERM and HUP,
and the death of the process that started it, stop it with a checkpoint.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

import msgspec

from nexus_engine.config import Settings
from nexus_engine.errors import ExitCode
from nexus_engine.events import RunFailed, RunFinished, RunStopped
from nexus_engine.steering import Steering
from nexus_engine.sweeps.folder import CellFolder, SweepFolder
from nexus_engine.training import train

__all__ = ["run_cell"]


def run_cell(sweep: Path, name: str, threads: int) -> int:
    """Run the cell `name` of the sweep at `sweep` to its end; its exit code.

    `threads` is used unless the sweep's settings name a number, and by new runs alone: a run that
    is gone on with keeps its own.
    """
    folder = SweepFolder(sweep)
    grid = folder.record().grid
    cell = next(c for c in grid.cells() if c.name == name)
    path = folder.run_path(cell)
    if (path / "result.json").is_file():
        return int(ExitCode.OK)
    resume = (path / "run.json").is_file()
    if resume:
        run: CellFolder = CellFolder(path)
        settings = msgspec.convert(run.read_run().get("settings"), Settings)
    else:
        if path.is_dir():  # its process died before the run was described: nothing is lost
            (path / "events.jsonl").unlink(missing_ok=True)
        run = CellFolder(CellFolder.create(path, cell.name).path)
        settings = grid.settings(cell)
        if settings.threads is None:
            settings = msgspec.structs.replace(settings, threads=threads)
    code = int(ExitCode.FAILED)
    for event in train(settings, run, CellSteering(), resume=resume):
        run.append(event)
        match event:
            case RunFinished():
                code = int(ExitCode.OK)
            case RunFailed() | RunStopped():
                code = event.exit_code
    return code


class CellSteering(Steering):
    """Stopped by signals, and by the death of the parent process: nobody waits for the result."""

    def __init__(self) -> None:
        super().__init__()
        self._parent = os.getppid()
        try:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, self._asked)
        except ValueError:  # not the main thread: whoever runs it there has its own way to stop it
            pass

    def _asked(self, number: int, _: FrameType | None) -> None:
        self.stop(signal.Signals(number).name, ExitCode(128 + number))

    def check(self) -> None:
        """Also look whether the parent is still there."""
        if os.getppid() != self._parent:
            self.stop("sweep gone", ExitCode.FAILED)
        super().check()


if __name__ == "__main__":
    sys.exit(run_cell(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
