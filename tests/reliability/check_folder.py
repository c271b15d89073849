"""A run folder that was cut, bitten or fought over: the log, the lock, damage to any file."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

from nexus_engine import checkpoints
from nexus_engine.errors import NexusError, RunError
from nexus_engine.events import Log
from nexus_engine.run_folder import RunFolder, find_run, remove_run, summarise
from nexus_engine.saved_model import held_card, load_model
from reliability import children, worlds
from reliability.faults import die
from reliability.outcome import Outcome

# The log


def _records(path: Path, count: int) -> RunFolder:
    folder = RunFolder.create(path, "x")
    for number in range(count):
        folder.append(Log(time_unix_s=float(number), message="größer als gedacht"))
    return folder


def log_cut_anywhere(place: Path, every: int = 1) -> Outcome:
    """Cut after each byte of the last three records, then written on: one record lost at most."""
    folder = _records(place / "log", 5)
    whole = folder.events_file.read_bytes()
    start = len(b"".join(whole.splitlines(keepends=True)[:-3]))
    failures: list[str] = []
    cuts = range(start, len(whole) + 1, every)
    for cut in cuts:
        folder.events_file.write_bytes(whole[:cut])
        complete = whole[:cut].count(b"\n") - 1  # the first line is the schema's
        try:
            before = [e.time_unix_s for e in folder.events()]
            folder.append(Log(time_unix_s=99.0, message="after"))
            after = [e.time_unix_s for e in folder.events()]
        except Exception as error:
            failures.append(f"cut at {cut}: {type(error).__name__}")
            continue
        kept = [float(n) for n in range(complete)]
        if before[:complete] != kept or len(before) > complete + 1:
            failures.append(f"cut at {cut}: {before} is read of {kept}")
        if after[:complete] != kept or after[-1] != 99.0:
            failures.append(f"cut at {cut}: then written on: {after}")
    return Outcome("the run log survives a cut", len(cuts), failures)


# The lock


def _hold(folder: Path, *, how: str) -> None:
    """In a child: take the run's lock, say so, and keep it until killed."""
    with RunFolder(folder / "run").lock:
        (folder / "holding").touch()
        if how == "killed":
            die()
        signal.pause()


def _take(folder: Path) -> str:
    """In a child: try to take the lock; what came of it."""
    try:
        with RunFolder(folder / "run").lock:
            return "taken"
    except (RunError, OSError) as error:
        return str(error)


def locked(place: Path, times: int, mutation: str | None = None) -> Outcome:
    """A live holder is named to the second process; a dead one's lock is taken over at once."""
    failures: list[str] = []
    for number in range(times):
        folder = place / f"lock-{number}"
        folder.mkdir()
        _records(folder / "run", 1)
        (folder / "run" / "run.json").write_text("{}")
        holder = children.start(_hold, folder, mutation, how="living")
        children.wait_until((folder / "holding").exists)
        said = children.call(_take, folder, mutation)
        named = (f"process {holder.pid}", "since", os.uname().nodename)
        if not all(words in said for words in named):
            failures.append(f"{number}: a live holder, told: {said}")
        if summarise(folder / "run").state != "live":
            failures.append(f"{number}: not listed as live")
        try:
            remove_run(str(folder / "run"))
            failures.append(f"{number}: a live run was deleted")
        except RunError:
            pass
        holder.kill()
        holder.join()
        if not (folder / "run").is_dir():
            continue
        # The lock's file still names the dead one; so would a process that got its id.
        said = children.call(_take, folder, mutation)
        if said != "taken":
            failures.append(f"{number}: a killed holder, told: {said}")
        (folder / "run" / "lock").write_text(
            json.dumps({"pid": os.getpid(), "host": "x", "since_unix_s": 0})
        )
        if (said := children.call(_take, folder, mutation)) != "taken":
            failures.append(f"{number}: a file that names a living process, told: {said}")
        if summarise(folder / "run").state == "live":
            failures.append(f"{number}: listed as live after its death")
        shutil.rmtree(folder)
    return Outcome("two runs, one folder", 4 * times, failures)


# Damage


def _finished(folder: Path) -> str:
    ended: str = worlds.train(folder, "dendrites")["event"]
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
        lambda: held_card(path / "best"),
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
    worlds.write_data(folder / "pairs")
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
