"""A sweep as a generator of events: start cells, watch them, retry lost ones, sum up.

    for event in sweep(folder, workers, steering): ...

No thread and no print. Runs that are finished on disk are not run again; runs that have begun
resume.
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
from nexus_engine.event_lines import decode_event
from nexus_engine.events import Evaluated, Step
from nexus_engine.runs.run_view import RunView, reduce
from nexus_engine.runs.summary import RUN
from nexus_engine.scores import Metric
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
MAX_ATTEMPTS = 3
"""Starts of a cell whose process dies; every later start resumes from its checkpoint."""
MAX_STOP_SECONDS = 60.0
"""A live run saves within a step; one that has not ended by then is killed."""
FATAL_EXIT_CODES = (ExitCode.USAGE, ExitCode.DATA)
"""Failures that every other run would meet too."""
NO_PROCESS = (errno.ENOMEM, errno.EAGAIN)
"""Errors of starting a process when the system has no memory for it."""
MEMORY_ERROR = "MemoryError"
"""The kind of failure of a run that ran out of memory, whichever library raised it."""
RESULT_FIGURES = ("switches", "switches_kept", "params_trained")


class _Tail:
    """Reads a run's scores on dev from its event log as the log grows."""

    def __init__(self, path: Path, *, resumed: bool) -> None:
        # A run that starts over also starts its log over, so it is read from the beginning.
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
                    sets=main.sets,
                    **{event.metric: event.score, f"best_{event.metric}": event.best_score},
                )


class _LiveCell:
    """A cell whose run is live."""

    def __init__(self, cell: Cell, path: Path, *, resumed: bool) -> None:
        self.cell = cell
        self.tail = _Tail(path / LOG_NAME, resumed=resumed)
        self.started_at = time.perf_counter()


def sweep(
    folder: SweepFolder,
    workers: Workers,
    steering: Steering,
    *,
    poll_seconds: float = POLL_SECONDS,
) -> Iterator[SweepEvent]:
    """Run the unfinished runs of the sweep; each event is also appended to the folder's log.

    Exactly one SweepFinished, SweepStopped or SweepFailed is yielded, as the last event.
    `poll_seconds` is the wait between two looks at the live runs.

    Raises:
        RunError: another process holds the sweep, or its folder is damaged.
    """
    with folder.lock:
        work = _Sweep(folder, workers, steering, poll_seconds)
        try:
            yield from _logged(work, folder)
        finally:
            workers.close()


def _logged(work: _Sweep, folder: SweepFolder) -> Iterator[SweepEvent]:
    """The sweep's events, each written to its log; an event that cannot be written ends it."""
    failure: OSError | None = None
    try:
        for event in work.events():
            try:
                folder.append(event)
            except OSError as error:  # still yielded: whoever watches sees it
                failure = error
            if failure is None or not isinstance(event, SweepFinished):
                yield event
            if isinstance(event, SweepStopped | SweepFailed):
                return
            if failure is not None:
                break
    except OSError as error:  # a run could not be started
        failure = error
    if failure is not None:
        for event in work.broken_off(failure):
            with contextlib.suppress(OSError):
                folder.append(event)
            yield event


class _Sweep:
    """One start of a sweep."""

    def __init__(
        self, folder: SweepFolder, workers: Workers, steering: Steering, poll_seconds: float
    ) -> None:
        self.folder = folder
        self.workers = workers
        self.steering = steering
        self.poll_seconds = poll_seconds
        self.record = folder.record()
        self.attempts: dict[str, int] = {}
        self.live: dict[str, _LiveCell] = {}
        self.full = False
        """Whether a run ended because the disk is full; then no other run is started."""
        self.started_at = time.perf_counter()
        self.seconds_before = _seconds_worked(folder)
        views = self._read_cells()
        self.waiting = deque(view.cell for view in views if _is_left(view))
        self.done = len(views) - len(self.waiting)
        self.runs = len(views)
        measured = next((view.metric for view in views if view.metric is not None), None)
        self.metric: Metric = measured or self.record.grid.metric

    def _read_cell(self, cell: Cell) -> CellView:
        return read_cell(self.folder.run_path(cell), cell, live=False)

    def _read_cells(self) -> list[CellView]:
        return [self._read_cell(cell) for cell in self.record.grid.cells()]

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
            metric=self.metric,
        )
        try:
            while self.waiting or self.live:
                self.steering.check()
                while self.waiting and len(self.live) < self.workers.jobs:
                    yield self._start(self.waiting.popleft())
                time.sleep(self.poll_seconds)
                yield from self._follow()
                for ended in self.workers.ended():
                    event = self._end(ended)
                    yield event
                    if self.full or (
                        event.exit_code in FATAL_EXIT_CODES and not self._any_finished()
                    ):
                        yield from self._fail(event.message, event.exit_code)
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
        live = _LiveCell(cell, path, resumed=resumed)
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
        view = self._read_cell(live.cell)
        code = int(ExitCode.FAILED) if ended.exit_code is None else ended.exit_code
        state, message = view.state, view.message or ended.message
        if state == "finished":
            code, message = 0, ""
        elif ended.exit_code is None:
            state = "failed"
            if self.attempts[ended.cell] < MAX_ATTEMPTS:
                self.waiting.appendleft(live.cell)
                return self._cell_ended(view, "lost", message, code, live)
        elif state != "stopped" or code in (int(ExitCode.FAILED), int(ExitCode.RESOURCES)):
            state = "failed"
            # Running out of memory concerns one run alone: the next may need less.
            self.full |= code == int(ExitCode.RESOURCES) and view.failed_as != MEMORY_ERROR
        return self._cell_ended(view, state, message, code, live)

    def _cell_ended(
        self, view: CellView, state: str, message: str, code: int, live: _LiveCell
    ) -> CellEnded:
        figures: dict[str, Any] = {}
        metric = view.metric or self.metric
        if state == "finished":
            figures = {name: getattr(view, name) for name in RESULT_FIGURES}
            figures |= {
                f"base_dev_{metric}": view.base_dev,
                f"best_dev_{metric}": view.best_dev,
                f"test_{metric}": view.test_score,
            }
        return CellEnded(
            time_unix_s=time.time(),
            cell=view.cell.name,
            state=state,
            message=message,
            exit_code=code,
            seconds=time.perf_counter() - live.started_at,
            metric=metric,
            **figures,
        )

    def _any_finished(self) -> bool:
        cells = self.record.grid.cells()
        return any(self._read_cell(cell).state == "finished" for cell in cells)

    def _stop(self, stop: StopAsked) -> Iterator[SweepEvent]:
        yield from self._wind_up()
        views = self._read_cells()
        yield SweepStopped(
            time_unix_s=time.time(),
            reason=stop.reason.word,
            exit_code=int(stop.reason.exit_code),
            runs_finished=sum(view.state == "finished" for view in views),
            runs_left=sum(_is_left(view) for view in views),
        )

    def _wind_up(self) -> Iterator[CellEnded]:
        """Stop every live run, and wait until each has saved and ended."""
        self.workers.stop()
        stopped_at = time.perf_counter()
        while self.live and time.perf_counter() - stopped_at < MAX_STOP_SECONDS:
            for ended in self.workers.ended():
                live = self.live.pop(ended.cell)
                view = self._read_cell(live.cell)
                yield self._cell_ended(view, view.state, view.message, ended.exit_code or 0, live)
            time.sleep(self.poll_seconds / 5)

    def _fail(self, message: str, exit_code: int) -> Iterator[SweepEvent]:
        yield from self._wind_up()
        yield SweepFailed(time_unix_s=time.time(), message=message, exit_code=exit_code)

    def broken_off(self, error: OSError) -> Iterator[SweepEvent]:
        """The last events of a sweep that `error`, its own and not a run's, ends."""
        place = one_line(os.fsdecode(error.filename or self.folder.path), 200)
        message = f"{place}: {error.strerror or type(error).__name__}"
        code, remedy = ExitCode.FAILED, ""
        if error.errno in OUT_OF_ROOM:
            code, remedy = ExitCode.RESOURCES, "make room"
        elif error.errno in NO_PROCESS:
            code, remedy = ExitCode.RESOURCES, "close other programs"
        if remedy:
            message += f"; what the runs have saved is kept: {remedy}, then continue with --resume"
        yield from self._fail(message, int(code))

    def _sum_up(self) -> SweepEvent:
        view = read_sweep(self.folder.path)
        combinations = points(view.cells)
        best = best_point(combinations)
        if best is None or best.best_cell is None:
            reason = next((f": {cell.message}" for cell in view.cells if cell.message), "")
            codes = {cell.exit_code for cell in view.cells}
            common_code = codes.pop() if len(codes) == 1 else None
            return SweepFailed(
                time_unix_s=time.time(),
                message=f"no run finished{reason}",
                exit_code=common_code or int(ExitCode.FAILED),
            )
        best_cell = view.cell(best.best_cell)
        metric = best_cell.metric or self.metric
        finished = sum(cell.state == "finished" for cell in view.cells)
        return SweepFinished(
            time_unix_s=time.time(),
            sweep_dir=str(self.folder.path),
            runs=self.runs,
            runs_finished=finished,
            runs_failed=self.runs - finished,
            points=len(combinations),
            points_with_two_switches_kept=sum(
                (point.fewest_switches_kept or 0) >= 2 for point in combinations
            ),
            best_cell=best.best_cell,
            best_run_dir=best_cell.run_dir,
            best_values={
                axis.name: value for axis, value in zip(view.axes, best.values, strict=True)
            },
            metric=metric,
            best_dev_deviation=best.deviation,
            total_seconds=self.seconds_before + time.perf_counter() - self.started_at,
            **{
                f"best_dev_{metric}": best.dev_score or 0.0,
                f"best_test_{metric}": best.test_score or 0.0,
                f"base_dev_{metric}": best_cell.base_dev or 0.0,
            },
        )


def _seconds_worked(folder: SweepFolder) -> float:
    """Seconds that earlier starts of the sweep took by its log, without the time between them."""
    total, started, last = 0.0, None, 0.0
    for event in folder.events():
        if isinstance(event, SweepStarted):
            if started is not None:
                total += max(0.0, last - started)
            started = event.time_unix_s
        last = event.time_unix_s
    return total if started is None else total + max(0.0, last - started)


def _is_left(view: CellView) -> bool:
    """Whether a new start runs this cell: unless it has finished or its training diverged."""
    return view.state != "finished" and view.exit_code != int(ExitCode.DIVERGED)
