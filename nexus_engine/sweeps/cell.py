"""One run of a sweep: `python -m nexus_engine.sweeps.cell SWEEP CELL THREADS PARENT`.

Begins the run, goes on with it, or does nothing where it is finished already. INT, TERM and HUP
stop it with a checkpoint, and so does the death of PARENT, the process that started it; before the
training begins, that ends this process at once.

Nothing at the top of this file takes long to import: whether the parent lives is watched first.
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
"""How long to wait for a run that another process works on: one whose sweep was killed stops within
a step and lets go."""
LOOK_SECONDS = 0.5


def run_cell(
    sweep: Path,
    name: str,
    threads: int,
    parent: int,
    begun: Callable[[], object] = lambda: None,
) -> int:
    """Run the cell `name` of the sweep at `sweep` to its end; its exit code.

    `threads` is used unless the sweep's settings name a number, and by new runs alone: a run that
    is gone on with keeps its own. `parent` is the id of the process that started this one. `begun`
    is called when the training begins, after all that is read and measured before. What the run's
    own log cannot tell is told in a line on stderr.
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
        with contextlib.ExitStack() as held:
            # Before anything of the run is read or changed: another process may work on it.
            if not _take(run, steering, held):
                return int(ExitCode.FAILED)
            if (run.path / "result.json").is_file():
                return int(ExitCode.OK)
            return _work(run, grid, cell, threads, steering, begun)
    except Exception as error:
        failed = failure(error, sweep)
        sys.stderr.write(failed.message + "\n")
        return failed.exit_code


def _take(run: CellFolder, steering: Steering, held: contextlib.ExitStack) -> bool:
    """Take the run's lock, waiting for another holder to end; False where a stop was asked.

    Raises:
        RunError: another process works on the run, and goes on to.
    """
    from nexus_engine.training.steering import StopAsked

    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            steering.check()
            held.enter_context(run.lock)
            steering.check()
            return True
        except StopAsked:
            return False
        except RunError:
            if time.monotonic() > until:
                raise
            time.sleep(LOOK_SECONDS)


def _work(
    run: CellFolder,
    grid: Grid,
    cell: Cell,
    threads: int,
    steering: Steering,
    begun: Callable[[], object],
) -> int:
    """Train, while the lock is held; the exit code.

    Raises:
        NexusError: the run cannot be gone on with.
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
    else:  # never begun, or its process died before it was described: nothing is lost
        run.begin_log()
        settings = grid.settings(cell)
        if settings.threads is None:
            settings = msgspec.structs.replace(settings, threads=threads)
    code = int(ExitCode.FAILED)
    for event in train(settings, run, steering, resume=resume):
        match event:
            case EpochStarted():
                begun()
            case RunFinished():
                code = int(ExitCode.OK)
            case RunFailed():
                code = event.exit_code
                sys.stderr.write(event.message + "\n")  # its log may be what failed
            case RunStopped():
                code = event.exit_code
    return code


def main(sweep: str, cell: str, threads: str, parent: str) -> int:
    """The process of a cell: watched from its first instruction."""
    watch = ParentWatch(int(parent))
    return run_cell(Path(sweep), cell, int(threads), int(parent), watch.release)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
