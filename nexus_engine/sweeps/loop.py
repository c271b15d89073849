"""A sweep as a generator of events: start cells, watch them, try lost ones again, sum up.

    for event in sweep(folder, workers, steering): ...

No thread and no print. What is finished on disk is not run again; what was begun goes on.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nexus_engine.disk.growing_lines import LineTail, decoded
from nexus_engine.disk.new_folders import LOG_NAME
from nexus_engine.errors import ExitCode, one_line
from nexus_engine.events import Evaluated, Step, decode_event
from nexus_engine.runs.run_view import RunView, reduce
from nexus_engine.runs.summary import RUN
from nexus_engine.sweeps.events import (
    CellEnded,
    CellEvaluated,
    CellStarted,
    SweepEvent,
    SweepFailed,
    SweepFinished,
    SweepStarted,
    SweepStopped,
)
from nexus_engine.sweeps.folder import SweepFolder
from nexus_engine.sweeps.grid import Cell
from nexus_engine.sweeps.reading import read_cell, read_sweep
from nexus_engine.sweeps.view import CellView, best_point, points
from nexus_engine.sweeps.workers import Ended, Workers
from nexus_engine.system.shortages import OUT_OF_ROOM
from nexus_engine.training.steering import Steering, StopAsked

__all__ = ["sweep"]

POLL_SECONDS = 0.25
ATTEMPTS = 3
"""A cell whose process dies is gone on with from its checkpoint, this many starts in all."""
STOP_SECONDS = 60.0
"""A live run saves within a step; one that has not after this long is ended."""
WOULD_STOP_ALL = (ExitCode.USAGE, ExitCode.DATA)
NO_PROCESS = (errno.ENOMEM, errno.EAGAIN)
"""What the start of a process ends with where the system has no memory for it."""
KEPT = "what the runs have saved is kept"
NO_MEMORY = "MemoryError"
"""What a run calls its failure that ran out of memory, of whatever library."""


class _Tail:
    """What a run's event log tells of its dev Spearman, as it comes."""

    def __init__(self, path: Path, *, resumed: bool) -> None:
        # A run that is begun anew makes its log anew too.
        self._lines = LineTail.at_end(path) if resumed else LineTail(path)
        self._view = RunView()

    def read(self, cell: str) -> Iterator[CellEvaluated]:
        for event in decoded(self._lines.read(), decode_event):
            if isinstance(event, Step):
                continue
            self._view = reduce(self._view, event)
            if isinstance(event, Evaluated) and event.arm == "main" and event.split == "dev":
                main = self._view.arm("main")
                yield CellEvaluated(
                    time_unix_s=event.time_unix_s,
                    cell=cell,
                    epoch=event.epoch,
                    epochs=main.epochs,
                    spearman=event.spearman,
                    best_spearman=event.best_spearman,
                    sets=main.sets,
                )


class _Live:
    """A cell that is being worked on."""

    def __init__(self, cell: Cell, path: Path, *, resumed: bool) -> None:
        self.cell = cell
        self.tail = _Tail(path / LOG_NAME, resumed=resumed)
        self.begun = time.perf_counter()


def sweep(folder: SweepFolder, workers: Workers, steering: Steering) -> Iterator[SweepEvent]:
    """Run what is left of the sweep; each event is also appended to the folder's log.

    The last event, and no other, is a SweepFinished, SweepStopped or SweepFailed.

    Raises:
        RunError: another process works on the sweep, or its folder is damaged.
    """
    with folder.lock:
        work = _Sweep(folder, workers, steering)
        try:
            yield from _logged(work, folder)
        finally:
            workers.close()


def _logged(work: _Sweep, folder: SweepFolder) -> Iterator[SweepEvent]:
    """The sweep's events, each written to its log; where that fails, the sweep ends."""
    failed: OSError | None = None
    try:
        for event in work.events():
            try:
                folder.append(event)
            except OSError as error:  # who watches is told all the same
                failed = error
            if failed is None or not isinstance(event, SweepFinished):
                yield event
            if isinstance(event, SweepStopped | SweepFailed):
                return
            if failed is not None:
                break
    except OSError as error:  # a run could not be started
        failed = error
    if failed is not None:
        for event in work.broken_off(failed):
            with contextlib.suppress(OSError):
                folder.append(event)
            yield event


class _Sweep:
    """One start of a sweep."""

    def __init__(self, folder: SweepFolder, workers: Workers, steering: Steering) -> None:
        self.folder = folder
        self.workers = workers
        self.steering = steering
        self.record = folder.record()
        self.attempts: dict[str, int] = {}
        self.live: dict[str, _Live] = {}
        self.full = False
        """Whether a run ended because the disk is full: then no other is started into it."""
        self.begun = time.perf_counter()
        self.seconds_before = _seconds_worked(folder)
        seen = [self._look(cell) for cell in self.record.grid.cells()]
        self.waiting = deque(view.cell for view in seen if _is_left(view))
        self.done = len(seen) - len(self.waiting)
        self.runs = len(seen)

    def _look(self, cell: Cell) -> CellView:
        return read_cell(self.folder.run_path(cell), cell, live=False)

    def events(self) -> Iterator[SweepEvent]:
        common = self.record.grid.common
        yield SweepStarted(
            time_unix_s=time.time(),
            sweep_dir=str(self.folder.path),
            name=self.record.name,
            data=str(common.get("data", "demo")),
            tune=str(common.get("tune", "dendrites")),
            axes=self.record.grid.axes,
            seeds=self.record.grid.seeds,
            runs=self.runs,
            runs_done=self.done,
            jobs=self.workers.jobs,
            engine=self.workers.engine,
            pid=os.getpid(),
        )
        try:
            while self.waiting or self.live:
                self.steering.check()
                while self.waiting and len(self.live) < self.workers.jobs:
                    yield self._start(self.waiting.popleft())
                time.sleep(POLL_SECONDS)
                yield from self._follow()
                for ended in self.workers.ended():
                    found = self._end(ended)
                    yield found
                    if self.full or (
                        found.exit_code in WOULD_STOP_ALL and not self._any_finished()
                    ):
                        yield from self._fail(found.message, found.exit_code)
                        return
        except StopAsked as stop:
            yield from self._stop(stop)
            return
        yield self._sum_up()

    def _start(self, cell: Cell) -> CellStarted:
        path = self.folder.run_path(cell)
        attempt = self.attempts.get(cell.name, 0) + 1
        self.attempts[cell.name] = attempt
        resumed = (path / RUN.description).is_file()
        live = _Live(cell, path, resumed=resumed)
        self.workers.start(cell.name)
        self.live[cell.name] = live
        return CellStarted(
            time_unix_s=time.time(),
            cell=cell.name,
            point=cell.point,
            values=cell.values,
            seed=cell.seed,
            run_dir=str(path),
            attempt=attempt,
            resumed=resumed,
        )

    def _follow(self) -> Iterator[CellEvaluated]:
        for name, live in self.live.items():
            yield from live.tail.read(name)

    def _end(self, ended: Ended) -> CellEnded:
        live = self.live.pop(ended.cell)
        view = self._look(live.cell)
        code = int(ExitCode.FAILED) if ended.exit_code is None else ended.exit_code
        state, message = view.state, view.message or ended.message
        if state == "finished":
            code, message = 0, ""
        elif ended.exit_code is None:
            state = "failed"
            if self.attempts[ended.cell] < ATTEMPTS:
                self.waiting.appendleft(live.cell)
                return self._cell_ended(view, "lost", message, code, live)
        elif state != "stopped" or code in (int(ExitCode.FAILED), int(ExitCode.RESOURCES)):
            state = "failed"
            # No memory is the matter of one run: the next may need less.
            self.full |= code == int(ExitCode.RESOURCES) and view.failed_as != NO_MEMORY
        return self._cell_ended(view, state, message, code, live)

    def _cell_ended(
        self, view: CellView, state: str, message: str, code: int, live: _Live
    ) -> CellEnded:
        figures: dict[str, Any] = {}
        if state == "finished":
            figures = {
                name: getattr(view, name)
                for name in (
                    "base_dev_spearman",
                    "best_dev_spearman",
                    "test_spearman",
                    "switches",
                    "switches_kept",
                    "params_trained",
                )
            }
        return CellEnded(
            time_unix_s=time.time(),
            cell=view.cell.name,
            state=state,
            message=message,
            exit_code=code,
            seconds=time.perf_counter() - live.begun,
            **figures,
        )

    def _any_finished(self) -> bool:
        return any(self._look(c).state == "finished" for c in self.record.grid.cells())

    def _stop(self, stop: StopAsked) -> Iterator[SweepEvent]:
        yield from self._wind_up()
        views = [self._look(cell) for cell in self.record.grid.cells()]
        finished = sum(view.state == "finished" for view in views)
        yield SweepStopped(
            time_unix_s=time.time(),
            reason=stop.reason.word,
            exit_code=int(stop.reason.exit_code),
            runs_finished=finished,
            runs_left=sum(_is_left(view) for view in views),
        )

    def _wind_up(self) -> Iterator[CellEnded]:
        """Have every live run save and end."""
        self.workers.stop()
        asked = time.perf_counter()
        while self.live and time.perf_counter() - asked < STOP_SECONDS:
            for ended in self.workers.ended():
                live = self.live.pop(ended.cell)
                view = self._look(live.cell)
                yield self._cell_ended(view, view.state, view.message, ended.exit_code or 0, live)
            time.sleep(POLL_SECONDS / 5)

    def _fail(self, message: str, exit_code: int) -> Iterator[SweepEvent]:
        yield from self._wind_up()
        yield SweepFailed(time_unix_s=time.time(), message=message, exit_code=exit_code)

    def broken_off(self, error: OSError) -> Iterator[SweepEvent]:
        """The last events of a sweep that itself met `error`."""
        where = one_line(os.fsdecode(error.filename or self.folder.path), 200)
        message = f"{where}: {error.strerror or type(error).__name__}"
        code = ExitCode.FAILED
        if error.errno in OUT_OF_ROOM:
            code = ExitCode.RESOURCES
            message += f"; {KEPT}: make room, then go on by --resume"
        elif error.errno in NO_PROCESS:
            code = ExitCode.RESOURCES
            message += f"; {KEPT}: close other programs, then go on by --resume"
        yield from self._fail(message, int(code))

    def _sum_up(self) -> SweepEvent:
        view = read_sweep(self.folder.path)
        found = points(view.cells)
        best = best_point(found)
        if best is None or best.best_cell is None:
            failed = next((c for c in view.cells if c.message), None)
            codes = {c.exit_code for c in view.cells}
            code = codes.pop() if len(codes) == 1 else None
            return SweepFailed(
                time_unix_s=time.time(),
                message="no run finished" + (f": {failed.message}" if failed else ""),
                exit_code=code or int(ExitCode.FAILED),
            )
        cell = view.cell(best.best_cell)
        finished = sum(c.state == "finished" for c in view.cells)
        return SweepFinished(
            time_unix_s=time.time(),
            sweep_dir=str(self.folder.path),
            runs=self.runs,
            runs_finished=finished,
            runs_failed=self.runs - finished,
            points=len(found),
            points_with_two_switches_kept=sum((p.fewest_switches_kept or 0) >= 2 for p in found),
            best_cell=best.best_cell,
            best_run_dir=cell.run_dir,
            best_values={
                axis.name: value for axis, value in zip(view.axes, best.values, strict=True)
            },
            best_dev_spearman=best.dev_spearman or 0.0,
            best_dev_deviation=best.deviation,
            best_test_spearman=best.test_spearman or 0.0,
            base_dev_spearman=cell.base_dev_spearman or 0.0,
            total_seconds=self.seconds_before + time.perf_counter() - self.begun,
        )


def _seconds_worked(folder: SweepFolder) -> float:
    """Seconds that earlier starts of the sweep worked, by its log; the time between them is not."""
    total, begun, last = 0.0, None, 0.0
    for event in folder.events():
        if isinstance(event, SweepStarted):
            if begun is not None:
                total += max(0.0, last - begun)
            begun = event.time_unix_s
        last = event.time_unix_s
    return total if begun is None else total + max(0.0, last - begun)


def _is_left(view: CellView) -> bool:
    """Whether a new start works on this run: not on a finished one, nor on one that diverged."""
    return view.state != "finished" and view.exit_code != int(ExitCode.DIVERGED)
