"""A sweep whose disk fills: nothing that was logged is lost, exit 4, no further run is begun."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from forked_cells import ForkedProcesses

from nexus_engine.sweeps.cell import run_cell
from nexus_engine.sweeps.events import (
    CellEnded,
    CellStarted,
    SweepEvent,
    SweepFailed,
    SweepFinished,
)
from nexus_engine.sweeps.folder import SweepFolder
from nexus_engine.sweeps.grid import Axis, Grid, default_grid
from nexus_engine.sweeps.loop import sweep
from nexus_engine.training.steering import Steering
from reliability import tiny_runs
from reliability.check_sweeps import faults_of_run
from reliability.faults import Meet, failing, operations
from reliability.outcome import Outcome

APPENDS = 4
FULL_FROM = 60
"""The operation of a run from which on its disk is full: its log and its first files are there."""
SMALL_BYTES = 900_000
"""A disk that holds a sweep's own files and the first part of a run's first checkpoint."""


def _event(number: int) -> CellEnded:
    return CellEnded(
        time_unix_s=float(number),
        cell="größer",
        state="failed",
        message="",
        exit_code=1,
        seconds=1.0,
    )


def _short(at: int) -> Meet:
    """A write at operation `at` that takes half of its bytes and says so, as it may."""

    def meet(number: int, name: str, true: Any, arguments: Any, named: Any) -> Any:
        if number == at and name == "write" and len(arguments[1]) > 1:
            return true(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
        return true(*arguments, **named)

    return meet


def _appended(folder: SweepFolder, meet: Meet) -> tuple[list[float], int]:
    """Append the events under the fault; the times of those that were said to be written."""
    written = []
    with operations(meet) as count:
        for number in range(APPENDS):
            try:
                folder.append(_event(number))
                written.append(float(number))
            except OSError:
                pass
    return written, count()


def _appends(place: Path) -> tuple[int, list[str]]:
    failures: list[str] = []
    faults: list[tuple[str, Callable[[int], Meet]]] = [
        ("full once", lambda at: failing(at, errno.ENOSPC, for_good=False, half=True)),
        ("full for good", lambda at: failing(at, errno.ENOSPC, for_good=True, half=True)),
        ("a short write", _short),
    ]
    trials, total = 0, 1
    for name, fault in faults:
        at = 0
        while (at := at + 1) <= total:
            trials += 1
            folder = SweepFolder.create(place / f"log-{trials}", "x", default_grid({}))
            written, total = _appended(folder, fault(at))
            folder.append(_event(99))
            read = [event.time_unix_s for event in folder.events()]
            if read != [*written, 99.0]:
                failures.append(f"{name} at operation {at}: wrote {[*written, 99.0]}, read {read}")
    return trials, failures


# Whole sweeps


def _fills(sweep: str, cell: str) -> None:
    """In a child: a run whose disk is full from some operation on."""
    tiny_runs.make_tiny()
    with operations(failing(FULL_FROM, errno.ENOSPC, for_good=True, half=True)):
        code = run_cell(Path(sweep), cell, 1, os.getppid())
    sys.exit(code)


class _Filling(ForkedProcesses):
    """Each run meets a full disk."""

    run = staticmethod(_fills)


def _make(folder: Path, data: Path) -> SweepFolder:
    settings = {"data": str(data), "threads": 1, "batch_size": 8, **tiny_runs.CASES["adapter"]}
    del settings["lr"]
    grid = Grid(axes=(Axis(name="lr", values=(1e-3, 2e-3, 3e-3)),), seeds=(1,), common=settings)
    return SweepFolder.create(folder, "x", grid)


def _judge_full(events: list[SweepEvent], name: str) -> list[str]:
    wrong = []
    last = events[-1]
    if not isinstance(last, SweepFailed) or last.exit_code != 4:
        wrong.append(f"{name}: ended as {last}"[:300])
    elif "No space left on device" not in last.message or not last.message.isprintable():
        wrong.append(f"{name}: told: {last.message!r}")
    started = sum(isinstance(event, CellStarted) for event in events)
    if started != 1:
        wrong.append(f"{name}: {started} runs were started into a full disk")
    return wrong


def _judge_resumed(folder: SweepFolder, name: str) -> list[str]:
    """Go on where there is room again: every run finishes."""
    *_, last = sweep(SweepFolder(folder.path), ForkedProcesses(folder.path, 2), Steering())
    runs = sorted((folder.path / "runs").iterdir())
    wrong = [f"{name}: {run.name}: {line}" for run in runs for line in faults_of_run(run)]
    # That the disk was full stands in a run's log, if there was room for it.
    wrong = [line for line in wrong if "No space left" not in line]
    if not isinstance(last, SweepFinished) or last.runs_finished != len(runs):
        wrong.append(f"{name}: gone on with, it ended as {last}"[:300])
    return wrong


@contextmanager
def _small_disk(at: Path, size: int) -> Iterator[str]:
    """A file system of its own at `at`; yields why there is none, or ""."""
    at.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "nexus-check", str(at)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        refused = " ".join(done.stderr.split())[:80] if done.returncode else ""
    except OSError as error:
        refused = str(error)
    try:
        yield refused
    finally:
        if not refused:
            subprocess.run(["umount", "-l", str(at)], check=False)


def _on_small_disk(place: Path, data: Path) -> tuple[int, list[str], str]:
    """A sweep on a disk too small for it, which is then enlarged."""
    disk = place / "disk"
    with _small_disk(disk, SMALL_BYTES) as refused:
        if refused:
            return 0, [], f"no small disk can be mounted here ({refused})"
        folder = _make(disk / "sweep", data)
        events = list(sweep(folder, ForkedProcesses(folder.path, 1), Steering()))
        wrong = _judge_full(events, "a small disk")
        subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
        return 2, wrong + _judge_resumed(folder, "a small disk"), "a real small disk too"


def disk_fills(place: Path, *, mounted: bool = True) -> Outcome:
    """Appends at every fault, then whole sweeps; with `mounted` also on a real small disk."""
    trials, failures = _appends(place)
    data = tiny_runs.write_data(place / "pairs")
    folder = _make(place / "sweep", data)
    events = list(sweep(folder, _Filling(folder.path, 1), Steering()))
    failures += _judge_full(events, "a disk that fills")
    trials, note = trials + 1, ""
    if mounted:
        failures += _judge_resumed(folder, "a disk that fills")
        more, lines, note = _on_small_disk(place, data)
        trials, failures = trials + 1 + more, failures + lines
    shutil.rmtree(folder.path)
    return Outcome("a sweep on a full disk loses nothing; exit 4", trials, failures, note)
