"""Sweeps by the real command, killed at moments of their first seconds, and gone on with.

A killed sweep leaves no process behind, and `--resume` finishes every run.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psutil

from reliability import children, tiny_runs
from reliability.outcome import Outcome

STEP_SECONDS = 0.05
LIVES_ON_SECONDS = 2.0
"""Of the processor's time, so that a busy machine is not taken for a run that lives on."""
LONGEST_SECONDS = 30.0
SIDE_BY_SIDE = 3
START, READ, SAVED = "", "run.json", "checkpoints"
"""From when a kill's seconds count: from the start, or from when a run has this in its folder."""
LATE = 8
"""Kills from each of the two: a busy machine does not come that far in its first seconds."""
GRID = """
[train]
tune = "adapter"
epochs = 12
switch-epochs = [1, 3]
threads = 1
batch-size = 8
[grid]
lr = [1e-3, 3e-3]
"""
CELLS = 2

# What makes a run tiny, put in when the module is imported that it belongs to: anything imported
# earlier would change what a kill in the first seconds meets.
SITE = """
import importlib.util
import os
import sys

def guard(module):
    import numpy as np
    whole = module.load_guard
    module.load_guard = lambda: whole().take(np.arange(6))

def saving(module):
    module.MAX_SHARE = 1e9

def parent(module):
    module.is_gone = lambda parent: False

CHANGES = {"nexus_engine.training.inputs": guard, "nexus_engine.training.save_clock": saving}
if os.environ.get("TRIAL_PARENT") == "unseen":
    CHANGES["nexus_engine.system.parent_watch"] = parent

class Finder:
    def find_spec(self, name, path=None, target=None):
        change = CHANGES.pop(name, None)
        if change is None:
            return None
        spec = importlib.util.find_spec(name)
        executed = spec.loader.exec_module
        def execute(module):
            executed(module)
            change(module)
        spec.loader.exec_module = execute
        return spec

sys.meta_path.insert(0, Finder())
"""


class Killed(NamedTuple):
    """What came of one trial: how far the sweep had come, how long children lived on, faults."""

    stage: str
    outlived_seconds: float
    failures: list[str]


def _write(folder: Path) -> None:
    tiny_runs.write_data(folder / "pairs")
    (folder / "grid.toml").write_text(GRID)
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(SITE)


def _start(folder: Path, *, unseen: bool) -> subprocess.Popen[bytes]:
    """The real command, as from a shell."""
    path = os.pathsep.join([str(folder / "site"), str(tiny_runs.ROOT)])
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "TRIAL_PARENT": "unseen" if unseen else "",
    }
    command = [sys.executable, "-m", "nexus_tui", "sweep", "--grid", str(folder / "grid.toml")]
    command += ["--data", str(folder / "pairs"), "--jobs", "2", "--out", str(folder / "sweep")]
    with (folder / "said").open("wb") as said:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=environment,
            start_new_session=True,
        )


def _cells(folder: Path) -> list[psutil.Process]:
    """The living processes of the sweep's runs, whoever their parent is."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            ended = process.status() == psutil.STATUS_ZOMBIE
            if str(folder / "sweep") in words and "nexus_engine.sweeps.cell" in words and not ended:
                found.append(process)
    return found


def _stage(folder: Path) -> str:
    """How far the sweep has come."""
    sweep = folder / "sweep"
    if not (sweep / "sweep.json").is_file():
        return "before its folder"
    if (sweep / "events.jsonl").read_bytes().count(b"\n") < 2:
        return "before its first run"
    runs = list((sweep / "runs").iterdir())
    if all((run / "result.json").is_file() for run in runs) and len(runs) == CELLS:
        return "after its runs"
    if any((run / "checkpoints").is_dir() for run in runs):
        return "in the training"
    return "in the reading" if any((r / "run.json").is_file() for r in runs) else "in the imports"


def _go_on(folder: Path) -> str:
    """The rest of the sweep, its runs forked from the preloaded server; how it ended."""
    from forked_cells import ForkedProcesses

    from nexus_engine.sweeps.folder import SweepFolder
    from nexus_engine.sweeps.loop import sweep
    from nexus_engine.training.steering import Steering

    found = SweepFolder(folder / "sweep")
    *_, last = sweep(found, ForkedProcesses(found.path, CELLS), Steering())
    return f"{type(last).__name__} {getattr(last, 'message', '')}"


def faults_of_run(run: Path) -> list[str]:
    """What is wrong with the log of a finished run, its schema line and its ends above all."""
    from nexus_engine.errors import RunError
    from nexus_engine.event_lines import decode_event
    from nexus_engine.events import RunFailed, RunFinished

    wrong = []
    log = run / "events.jsonl"
    first, *lines = log.read_bytes().split(b"\n") if log.is_file() else [b""]
    try:
        if json.loads(first).get("kind") != "nexus-events":
            wrong.append("its first line is not the schema's")
    except ValueError:
        wrong.append("its first line is torn")
    events = []
    for line in filter(None, lines):
        try:
            events.append(decode_event(line))
        except RunError:
            wrong.append(f"a line is torn: {line[:60]!r}")
    ends = sum(isinstance(event, RunFinished) for event in events)
    if ends != 1 or not events or not isinstance(events[-1], RunFinished):
        wrong.append(f"{ends} times finished, last {type(events[-1]).__name__ if events else '-'}")
    wrong += [f"failed: {e.message}" for e in events if isinstance(e, RunFailed)]
    if not (run / "result.json").is_file():
        wrong.append("no result")
    return wrong


def _outlive(folder: Path) -> tuple[float, list[str]]:
    """How long runs live on without their sweep; which of them live too long."""
    begun = time.monotonic()
    first: dict[int, float] = {}
    while cells := _cells(folder):
        passed = time.monotonic() - begun
        most = 0.0
        for process in cells:
            with contextlib.suppress(psutil.Error):
                spent = sum(process.cpu_times()[:2])
                most = max(most, spent - first.setdefault(process.pid, spent))
        if most > LIVES_ON_SECONDS or passed > LONGEST_SECONDS:
            for process in cells:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(cells, timeout=10)
            return passed, [f"{len(cells)} of its runs live on after {passed:.1f} s"]
        time.sleep(0.02)
    return time.monotonic() - begun, []


def _trial(place: Path, after: str, seconds: float, *, unseen: bool = False) -> Killed:
    folder = place / f"kill-{after}-{seconds:.2f}"
    _write(folder)
    process = _start(folder, unseen=unseen)
    if after:
        runs = folder / "sweep" / "runs"
        children.wait_until(lambda: bool([*runs.glob(f"*/{after}")]) or process.poll() is not None)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.kill()
    code = process.wait()
    outlived, wrong = _outlive(folder)
    stage = _stage(folder)
    if code not in (0, -signal.SIGKILL):
        wrong.append(f"ended with {code} before the kill: {(folder / 'said').read_text()[-200:]}")
    if stage == "before its folder":
        wrong += children.call(_begin_anew, folder)
    told = _go_on(folder) if (folder / "sweep" / "sweep.json").is_file() else ""
    if not told.startswith("SweepFinished"):
        wrong.append(f"gone on with, it ended as {told}")
    runs = sorted((folder / "sweep" / "runs").glob("*")) if told else []
    if told and len(runs) != CELLS:
        wrong.append(f"{len(runs)} runs of {CELLS}")
    wrong += [f"{run.name}: {line}" for run in runs for line in faults_of_run(run)]
    shutil.rmtree(folder)
    name = f"killed {seconds:.2f} s after {after or 'its start'}, {stage}"
    return Killed(stage, outlived, [f"{name}: {line}" for line in wrong])


def _begin_anew(folder: Path) -> list[str]:
    """In a child: make the sweep that a kill prevented; what hinders it."""
    from nexus_engine.errors import NexusError
    from nexus_engine.sweeps.folder import SweepFolder
    from nexus_engine.sweeps.grid import grid_from_file

    grid = grid_from_file(folder / "grid.toml", {"data": str(folder / "pairs")}, None)
    try:
        SweepFolder.create(folder / "sweep", "x", grid)
    except NexusError as error:
        return [f"cannot be begun anew: {error}"]
    return []


Moment = tuple[str, float]


def first_seconds(kills: int) -> list[Moment]:
    """Every 50 ms from the start, and some from when runs are read in and have saved."""
    late = [(after, STEP_SECONDS * n) for after in (READ, SAVED) for n in range(LATE)]
    return [*((START, STEP_SECONDS * (n + 1)) for n in range(kills)), *late]


def killed(place: Path, moments: Sequence[Moment], *, unseen: bool = False) -> Outcome:
    """SIGKILL of a sweep at each of `moments`; with `unseen` its runs do not see that it died."""
    children.context()  # before the threads
    with ThreadPoolExecutor(SIDE_BY_SIDE) as several:
        found = list(several.map(lambda m: _trial(place, *m, unseen=unseen), moments))
    stages = Counter(trial.stage for trial in found)
    longest = max(trial.outlived_seconds for trial in found)
    note = f"a run outlived its sweep by {longest:.1f} s at most; "
    note += ", ".join(f"{count} {stage}" for stage, count in stages.items())
    failures = [line for trial in found for line in trial.failures]
    return Outcome("a killed sweep leaves no process, and goes on", len(found), failures, note)
