"""One run of a sweep: `python -m nexus_engine.sweeps.cell SWEEP CELL THREADS PARENT`.

Begins the run or resumes it; a finished run is left as it is. INT, TERM and HUP stop it with a
checkpoint, and so does the death of PARENT, the process that started it. Before the training
begins, the death of PARENT ends this process at once.

Only fast imports stand at the top of this file, so that the watch on the parent begins first.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nexus_engine.errors import ExitCode, RunError
from nexus_engine.system.parent_watch import ParentWatch

if TYPE_CHECKING:
    from nexus_engine.sweeps.folder import CellFolder
    from nexus_engine.sweeps.grid import Cell, Grid
    from nexus_engine.training.steering import Steering

__all__ = ["run_cell"]

PATIENCE_SECONDS = 60.0
"""How long to wait for a run that another process holds: a process whose sweep was killed stops
within a step and releases the run."""
POLL_SECONDS = 0.5


def run_cell(
    sweep: Path,
    name: str,
    threads: int,
    parent: int,
    on_training: Callable[[], object] = lambda: None,
) -> int:
    """Run the cell `name` of the sweep at `sweep` to its end; return its exit code.

    `threads` is used by a new run whose settings name no number; a resumed run keeps its own.
    `parent` is the id of the process that started this one. `on_training` is called when the first
    epoch begins, after the data is read and the base model is measured. Failures are also written
    to stderr, one line each, because the run's own log may be what failed.
    """
    from nexus_engine.runs.failures import failure
    from nexus_engine.sweeps.folder import CellFolder, SweepFolder
    from nexus_engine.training.child_steering import ChildSteering

    folder = SweepFolder(sweep)
    steering = ChildSteering(parent)
    try:
        grid = folder.record().grid
        cell = grid.cell(name)
        run = CellFolder(folder.run_path(cell))
        run.make()
        with contextlib.ExitStack() as stack:
            # Before anything of the run is read or changed: another process may hold it.
            if not _take(run, steering, stack):
                return int(ExitCode.FAILED)
            if (run.path / "result.json").is_file():
                return int(ExitCode.OK)
            return _train(run, grid, cell, threads, steering, on_training)
    except Exception as error:
        event = failure(error, sweep)
        sys.stderr.write(event.message + "\n")
        return event.exit_code


def _take(run: CellFolder, steering: Steering, stack: contextlib.ExitStack) -> bool:
    """Hold the run's lock until `stack` closes, waiting for another holder to end.

    Returns False if a stop is requested meanwhile.

    Raises:
        RunError: another process still holds the run after `PATIENCE_SECONDS`.
    """
    from nexus_engine.training.steering import StopAsked

    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            steering.check()
            stack.enter_context(run.lock)
            steering.check()
            return True
        except StopAsked:
            return False
        except RunError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)


def _train(
    run: CellFolder,
    grid: Grid,
    cell: Cell,
    threads: int,
    steering: Steering,
    on_training: Callable[[], object],
) -> int:
    """Train while the lock is held; return the exit code.

    Raises:
        NexusError: the run cannot be resumed.
        OSError: its log cannot be written.
    """
    import msgspec

    from nexus_engine.config import Settings
    from nexus_engine.events import EpochStarted, RunFailed, RunFinished, RunStopped
    from nexus_engine.training.run import train

    resume = (run.path / "run.json").is_file()
    if resume:
        try:
            settings = msgspec.convert(run.read_run().get("settings"), Settings)
        except msgspec.ValidationError:
            raise RunError(f"{run.name}: its settings are not of this version") from None
    else:  # new, or its process died before it wrote run.json: nothing is lost
        run.begin_log()
        settings = grid.settings(cell)
        if settings.threads is None:
            settings = msgspec.structs.replace(settings, threads=threads)
    code = int(ExitCode.FAILED)
    for event in train(settings, run, steering, resume=resume):
        match event:
            case EpochStarted():
                on_training()
            case RunFinished():
                code = int(ExitCode.OK)
            case RunFailed():
                code = event.exit_code
                sys.stderr.write(event.message + "\n")  # the log may be what failed
            case RunStopped():
                code = event.exit_code
    return code


def main(sweep: str, cell: str, threads: str, parent: str) -> int:
    """Run one cell in this process, which watches its parent from the first instruction on."""
    watch = ParentWatch(int(parent))
    return run_cell(Path(sweep), cell, int(threads), int(parent), watch.release)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
