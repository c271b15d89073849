"""One run of a sweep, in a process of its own: `python -m nexus_engine.sweeps.cell SWEEP CELL N`.

Begins the run, goes on with it, or does nothing where it is finished already. INT, TERM and HUP,
and the death of the process that started it, stop it with a checkpoint.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from nexus_engine.child_steering import ChildSteering
from nexus_engine.config import Settings
from nexus_engine.errors import ExitCode
from nexus_engine.events import RunFailed, RunFinished, RunStopped
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
    for event in train(settings, run, ChildSteering(), resume=resume):
        run.append(event)
        match event:
            case RunFinished():
                code = int(ExitCode.OK)
            case RunFailed() | RunStopped():
                code = event.exit_code
    return code


if __name__ == "__main__":
    sys.exit(run_cell(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
