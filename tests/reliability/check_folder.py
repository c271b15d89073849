"""A run folder that was cut, bitten or fought over: the log, the lock, damage to any file."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

from nexus_engine.disk.lock import RunLock
from nexus_engine.errors import NexusError, RunError
from nexus_engine.events import Log
from nexus_engine.runs import checkpoints
from nexus_engine.runs.folder import RunFolder, find_run, remove_run
from nexus_engine.runs.saved_model import intact_card, load_model
from nexus_engine.runs.summary import summarise
from nexus_engine.sweeps.events import CellEnded
from nexus_engine.sweeps.folder import CellFolder, SweepFolder
from nexus_engine.sweeps.grid import default_grid
from nexus_engine.sweeps.reading import read_sweep
from reliability import children, tiny_runs
from reliability.faults import die
from reliability.outcome import Outcome

KINDS = ("run", "sweep")

# The log


def _of_run(number: float) -> Log:
    return Log(time_unix_s=number, message="größer als gedacht")


def _of_sweep(number: float) -> CellEnded:
    return CellEnded(
        time_unix_s=number, cell="größer", state="failed", message="", exit_code=1, seconds=1.0
    )


def _records(path: Path, count: int, kind: str = "run") -> RunFolder | SweepFolder:
    """A run's or a sweep's folder with `count` events in its log."""
    if kind == "run":
        run = RunFolder.create(path, "x")
        for number in range(count):
            run.append(_of_run(float(number)))
        return run
    sweep = SweepFolder.create(path, "x", default_grid({"data": "nowhere.csv"}))
    for number in range(count):
        sweep.append(_of_sweep(float(number)))
    return sweep


def _write_on(folder: RunFolder | SweepFolder) -> None:
    if isinstance(folder, RunFolder):
        folder.append(_of_run(99.0))
    else:
        folder.append(_of_sweep(99.0))


def _cut(place: Path, kind: str, every: int) -> tuple[int, list[str]]:
    folder = _records(place / f"log-{kind}", 5, kind)
    whole = folder.events_file.read_bytes()
    start = len(b"".join(whole.splitlines(keepends=True)[:-3]))
    failures: list[str] = []
    cuts = range(start, len(whole) + 1, every)
    for cut in cuts:
        folder.events_file.write_bytes(whole[:cut])
        complete = whole[:cut].count(b"\n") - 1  # the first line is the schema's
        try:
            before = [e.time_unix_s for e in folder.events()]
            _write_on(folder)
            after = [e.time_unix_s for e in folder.events()]
        except Exception as error:
            failures.append(f"{kind}, cut at {cut}: {type(error).__name__}")
            continue
        kept = [float(n) for n in range(complete)]
        if before[:complete] != kept or len(before) > complete + 1:
            failures.append(f"{kind}, cut at {cut}: {before} is read of {kept}")
        if after[:complete] != kept or after[-1] != 99.0:
            failures.append(f"{kind}, cut at {cut}: then written on: {after}")
    return len(cuts), failures


def log_cut_anywhere(place: Path, every: int = 1) -> Outcome:
    """Cut after each byte of the last three records, then written on: one record lost at most."""
    found = [_cut(place, kind, every) for kind in KINDS]
    failures = [line for _, lines in found for line in lines]
    return Outcome("the run log survives a cut", sum(cuts for cuts, _ in found), failures)


# The lock


def _lock(folder: Path, kind: str) -> RunLock:
    return (RunFolder if kind == "run" else SweepFolder)(folder / kind).lock


def _hold(folder: Path, *, how: str, kind: str) -> None:
    """In a child: take the lock of a run or a sweep, say so, and keep it until killed."""
    with _lock(folder, kind):
        (folder / "holding").touch()
        if how == "killed":
            die()
        signal.pause()


def _take(folder: Path, *, kind: str) -> str:
    """In a child: try to take the lock; what came of it."""
    try:
        with _lock(folder, kind):
            return "taken"
    except (RunError, OSError) as error:
        return str(error)


def _is_live(path: Path, kind: str) -> bool:
    return summarise(path).state == "live" if kind == "run" else read_sweep(path).live


def _fought_over(place: Path, number: int, kind: str, mutation: str | None) -> list[str]:
    failures: list[str] = []
    folder = place / f"lock-{kind}-{number}"
    folder.mkdir()
    path = folder / kind
    _records(path, 1, kind)
    if kind == "run":
        (path / "run.json").write_text("{}")
    holder = children.start(_hold, folder, mutation, how="living", kind=kind)
    children.wait_until((folder / "holding").exists)
    said = children.call(_take, folder, mutation, kind=kind)
    named = (f"process {holder.pid}", "since", os.uname().nodename)
    if not all(words in said for words in named):
        failures.append(f"{kind} {number}: a live holder, told: {said}")
    if not _is_live(path, kind):
        failures.append(f"{kind} {number}: not listed as live")
    if kind == "run":
        try:
            remove_run(str(path))
            failures.append(f"{number}: a live run was deleted")
        except RunError:
            pass
    holder.kill()
    holder.join()
    if not path.is_dir():
        return failures
    # The lock's file still names the dead one; so would a process that got its id.
    said = children.call(_take, folder, mutation, kind=kind)
    if said != "taken":
        failures.append(f"{kind} {number}: a killed holder, told: {said}")
    (path / "lock").write_text(json.dumps({"pid": os.getpid(), "host": "x", "since_unix_s": 0}))
    if (said := children.call(_take, folder, mutation, kind=kind)) != "taken":
        failures.append(f"{kind} {number}: a file that names a living process, told: {said}")
    if _is_live(path, kind):
        failures.append(f"{kind} {number}: listed as live after its death")
    shutil.rmtree(folder)
    return failures


def _run_cell(folder: Path) -> int:
    """In a child: work on the sweep's first run, which another process may hold."""
    from nexus_engine.sweeps import cell

    cell.PATIENCE_SECONDS = 0.5
    return cell.run_cell(folder / "sweep", "001-seed-1", 1, os.getppid())


def _hold_cell(folder: Path) -> None:
    """In a child: hold the run of a sweep as a process does whose sweep was killed."""
    run = CellFolder(folder / "sweep" / "runs" / "001-seed-1")
    run.make()
    with run.lock:
        run.begin_log()
        run.append(_of_run(0.0))
        (folder / "holding").touch()
        signal.pause()


def _live_run_of_sweep(place: Path, number: int, mutation: str | None) -> list[str]:
    """A run that another process works on is refused to a sweep, and nothing of it is changed."""
    folder = place / f"lock-cell-{number}"
    folder.mkdir()
    _records(folder / "sweep", 0, "sweep")
    holder = children.start(_hold_cell, folder, mutation)
    children.wait_until((folder / "holding").exists)
    log = folder / "sweep" / "runs" / "001-seed-1" / "events.jsonl"
    before = log.read_bytes()
    code = children.call(_run_cell, folder, mutation)
    said = (folder / "stderr").read_text()
    holder.kill()
    holder.join()
    wrong = [] if log.read_bytes() == before else [f"cell {number}: a live run's log was changed"]
    if code != 1 or f"is live, held by process {holder.pid}" not in said or said.count("\n") != 1:
        wrong.append(f"cell {number}: a live run of a sweep, exit {code}, told: {said[-200:]}")
    shutil.rmtree(folder)
    return wrong


def locked(place: Path, times: int, mutation: str | None = None) -> Outcome:
    """A live holder is named to the second process; a dead one's lock is taken over at once."""
    failures: list[str] = []
    for number in range(times):
        for kind in KINDS:
            failures += _fought_over(place, number, kind, mutation)
        failures += _live_run_of_sweep(place, number, mutation)
    return Outcome("two processes, one folder of a run or a sweep", 9 * times, failures)


# Damage


def _finished(folder: Path) -> str:
    ended: str = tiny_runs.train(folder, "dendrites")["event"]
    return ended


def _damages(content: bytes, flips: int) -> list[tuple[str, bytes]]:
    """Cut at the ends, in the middle and at every eighth; single bits at even distances."""
    size = len(content)
    cuts = sorted({0, 1, size // 2, size - 1, *(size * n // 8 for n in range(8))})
    found = [(f"cut to {cut} of {size}", content[:cut]) for cut in cuts if cut < size]
    for n in range(flips):
        at = (size * n // flips + n) % size
        flipped = bytearray(content)
        flipped[at] ^= 1 << (n % 8)
        found.append((f"bit {n % 8} of byte {at} flipped", bytes(flipped)))
    return found


def _look(path: Path, *, load: bool) -> list[str]:
    """Read what a command reads of a run, with `load` the model too; each refusal is a line."""
    looks: list[Any] = [
        lambda: (summarise(path), find_run(str(path)).events()),
        lambda: intact_card(path / "best"),
    ]
    if load:
        looks.append(lambda: load_model(str(path)))
    said = []
    for look in looks:
        try:
            look()
        except NexusError as error:
            said.append(str(error))
    return said


def damaged(place: Path, flips: int, *, load: bool) -> Outcome:
    """Each file of a run folder cut and bit-flipped: fallen back, or refused in one line."""
    folder = place / "damage"
    tiny_runs.write_data(folder / "pairs")
    children.call(_finished, folder)
    path = folder / "run"
    newest, older = checkpoints.names(path / "checkpoints")
    failures: list[str] = []
    trials = 0
    files = [p for p in sorted(path.rglob("*")) if p.is_file() and p.name != "lock"]
    for file in files:
        content = file.read_bytes()
        name = str(file.relative_to(path))
        for what, bad in _damages(content, flips):
            trials += 1
            file.write_bytes(bad)
            try:
                said = _look(path, load=load and name.startswith("best"))
                found = checkpoints.load_latest(path / "checkpoints")
            except Exception as error:
                failures.append(f"{name} {what}: {type(error).__name__}: {error}"[:200])
                continue
            failures += [f"{name} {what}: {line!r}" for line in said if not line.isprintable()]
            wanted = older if newest in name and _matters(name, content, bad) else newest
            if found is None or found.name != wanted:
                failures.append(f"{name} {what}: loaded {found and found.name}, not {wanted}")
        file.write_bytes(content)
    return Outcome("damage to any file is met", trials, failures, f"{len(files)} files")


def _matters(name: str, content: bytes, bad: bytes) -> bool:
    """Whether the damage changes what a manifest says; its spaces and line ends do not matter."""
    if not name.endswith("manifest.json"):
        return True
    try:
        return bool(json.loads(bad) != json.loads(content))
    except ValueError:
        return True
