"""Faults while a model is exported, texts are embedded, and an index is built or changed.

Each output is whole or not there, or goes on with the same command; what an interrupted command
left beside it is gone after the next one; files have mode 0600 and folders 0700 under any umask.
"""

from __future__ import annotations

import ctypes
import errno
import os
import random
import shutil
import signal
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

from reliability import children
from reliability.check_limits import _fill, _small_disk
from reliability.outcome import Outcome
from reliability.output_work import (
    SMALL,
    WORKS,
    Work,
    World,
    command,
    completed,
    digests,
    interrupted,
)

DISK_BYTES = 150_000_000
READ_ONLY = 32 | 1
"""MS_REMOUNT and MS_RDONLY of mount(2)."""
NOT_TRIED = "not tried: only root may mount a small file system"


class _Trial(NamedTuple):
    """A work that is done in `place` by a child."""

    world: World
    work: Work
    place: Path
    mutation: str | None

    @property
    def child(self) -> Path:
        return self.world.folder / "child-of-trial"

    def start(self, **more: Any) -> BaseProcess:
        call = self.world.call(self.work, self.place)
        return children.start(command, self.child, self.mutation, **call, **more)

    def done(self, **more: Any) -> int:
        """Its exit code."""
        call = self.world.call(self.work, self.place)
        code: int = children.call(command, self.child, self.mutation, **call, **more)["code"]
        return code

    def said(self) -> str:
        return (self.child / "stderr").read_text()

    def judged(self, fault: Callable[[_Trial], list[str]]) -> list[str]:
        """Begin, meet the fault, judge, give the command again, judge."""
        self.world.begin(self.work, self.place)
        wrong = fault(self) or interrupted(self.world, self.work, self.place)
        wrong = wrong or completed(self.world, self.work, self.place, self.mutation, self.child)
        shutil.rmtree(self.place)
        shutil.rmtree(self.child)
        return wrong


def _operations(world: World, work: Work, place: Path, mutation: str | None) -> int:
    """How many operations the work takes."""
    at = place / "counted"
    world.begin(work, at)
    call = world.call(work, at)
    never = (10**9, errno.EIO, False)
    told = children.call(command, place / "counting", mutation, fail=never, **call)
    shutil.rmtree(at)
    found: int = told["operations"]
    return found


def _spread(total: int, most: int) -> range:
    """At most about so many of the operations, evenly spread."""
    return range(1 + total // most // 2 if most < total else 1, total + 1, max(1, total // most))


# Kills and signals


def _killed_often(trial: _Trial, *, times: int, chance: random.Random, met: list[str]) -> list[str]:
    for _ in range(times):
        process = trial.start()
        process.join(chance.uniform(0, trial.world.seconds[trial.work.name]))
        if process.is_alive():
            met.append(trial.work.name)
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
        code = children.finish(process)
        wrong = interrupted(trial.world, trial.work, trial.place)
        if code not in (0, -signal.SIGKILL):
            wrong.append(f"ended with {code} before the kill")
        if wrong:
            return wrong
    return []


def killed(
    place: Path,
    times: int,
    names: Sequence[str] = tuple(WORKS),
    mutation: str | None = None,
    world: World | None = None,
) -> Outcome:
    """SIGKILL at so many random times of each work, one after another, then it is completed."""
    world = world or World.make(place / "world", names, mutation)
    failures: list[str] = []
    met: list[str] = []
    for name in names:
        trial = _Trial(world, WORKS[name], place / "killed", mutation)
        fault = partial(_killed_often, times=times, chance=random.Random(name), met=met)
        failures += [f"{name}: {line}" for line in trial.judged(fault)]
    if not met:
        failures.append("no kill met a command at work")
    return Outcome("a killed export, embedding or index goes on", len(met), failures)


def _killed_at(trial: _Trial, *, operation: int, how: str) -> list[str]:
    code = children.finish(trial.start(kill=(operation, how)))
    return [] if code in (0, -signal.SIGKILL) else [f"ended with {code}"]


def killed_at_operations(
    place: Path,
    names: Sequence[str] = SMALL,
    most: int = 10**9,
    hows: Sequence[str] = ("before", "half", "after"),
    mutation: str | None = None,
    world: World | None = None,
) -> Outcome:
    """SIGKILL at each operation by which Python changes files; SQLite's own are met at random."""
    world = world or World.make(place / "world", names, mutation)
    failures: list[str] = []
    trials = 0
    for name in names:
        total = _operations(world, WORKS[name], place, mutation)
        for operation in _spread(total, most):
            for how in hows:
                trial = _Trial(world, WORKS[name], place / "killed", mutation)
                found = trial.judged(partial(_killed_at, operation=operation, how=how))
                failures += [f"{name}, {how} operation {operation} of {total}: {x}" for x in found]
                trials += 1
    return Outcome("killed at an operation, it goes on", trials, failures)


SIGNALS = {signal.SIGINT: (130,), signal.SIGTERM: (143, -15), signal.SIGHUP: (129, -1)}


def _signalled(
    trial: _Trial, *, number: signal.Signals, chance: random.Random, met: list[str]
) -> list[str]:
    process = trial.start()
    children.wait_until((trial.child / "stderr").exists)  # it has come to the task
    process.join(chance.uniform(0.1, max(0.2, trial.world.seconds[trial.work.name])))
    if process.is_alive():
        met.append(trial.work.name)
        assert process.pid is not None
        os.kill(process.pid, number)
    code = children.finish(process)
    if code == 0:
        told = children.told(trial.child)
        code = told["code"] if told else 0
    wrong = [] if code in (0, *SIGNALS[number]) else [f"ended with {code}"]
    return wrong + (["a traceback"] if "Traceback" in trial.said() else [])


def signalled(
    place: Path,
    each: int,
    names: Sequence[str] = tuple(WORKS),
    mutation: str | None = None,
    world: World | None = None,
) -> Outcome:
    """INT, TERM and HUP at random times of each work, which is then completed."""
    world = world or World.make(place / "world", names, mutation)
    failures: list[str] = []
    met: list[str] = []
    for name in names:
        chance = random.Random(f"signals {name}")
        for number in each * list(SIGNALS):
            trial = _Trial(world, WORKS[name], place / "signalled", mutation)
            found = trial.judged(partial(_signalled, number=number, chance=chance, met=met))
            failures += [f"{name}, {number.name}: {line}" for line in found]
    if not met:
        failures.append("no signal met a command at work")
    return Outcome("a signal leaves it whole, absent or resumable", len(met), failures)


# Disks


def _filled(trial: _Trial, *, disk: Path, left: int) -> list[str]:
    _fill(disk, left)
    code = trial.done(room=False)
    (disk / "filler").unlink()
    lines = [line for line in trial.said().splitlines() if line.startswith("nexus: ")]
    if code == 0:
        return [] if left else ["exit 0 on a full disk"]
    if code != 4 or len(lines) != 1 or "internal" in lines[0]:
        return [f"exit {code}: {lines[-1:]}"]
    return []


def disk_filled(
    place: Path,
    left: Sequence[int],
    names: Sequence[str] = tuple(WORKS),
    mutation: str | None = None,
    world: World | None = None,
) -> Outcome:
    """A real small disk with so many bytes left: exit 4 and a line; with more room it goes on."""
    world = world or World.make(place / "world", names, mutation)
    promise = "a full disk: exit 4, and with room it goes on"
    failures: list[str] = []
    tasks = [(name, bytes_left) for name in names for bytes_left in left]
    for number, (name, bytes_left) in enumerate(tasks):
        disk = place / f"disk-{number}"
        with _small_disk(disk, DISK_BYTES) as mounted:
            if not mounted:
                return Outcome(promise, 1, [], NOT_TRIED)
            trial = _Trial(world, WORKS[name], disk / "work", mutation)
            found = trial.judged(partial(_filled, disk=disk, left=bytes_left))
            failures += [f"{name}, {bytes_left:,} bytes left: {line}" for line in found]
    return Outcome(promise, len(tasks), failures)


def _failed(trial: _Trial, *, fail: tuple[int, int, bool]) -> list[str]:
    code = trial.done(fail=fail)
    is_told = code in (0, 4) and "Traceback" not in trial.said()
    return [] if is_told else [f"exit {code}: {trial.said().strip()[-160:]}"]


def disk_failed(
    place: Path,
    names: Sequence[str] = SMALL,
    codes: Sequence[int] = (errno.ENOSPC, errno.EIO, errno.EDQUOT),
    most: int = 10**9,
    mutation: str | None = None,
    world: World | None = None,
) -> Outcome:
    """I/O errors at Python's operations, once and for good: exit 4 or done, and then completed."""
    world = world or World.make(place / "world", names, mutation)
    failures: list[str] = []
    trials = 0
    for name in names:
        total = _operations(world, WORKS[name], place, mutation)
        for at in _spread(total, most):
            for code in codes:
                for for_good in (False, True):
                    trials += 1
                    trial = _Trial(world, WORKS[name], place / "failed", mutation)
                    found = trial.judged(partial(_failed, fail=(at, code, for_good)))
                    how = f"{errno.errorcode[code]} {'from' if for_good else 'at'}"
                    label = f"{name}, {how} operation {at} of {total}"
                    failures += [f"{label}: {line}" for line in found]
    return Outcome("an I/O error: exit 4, and then it goes on", trials, failures)


LOOKS = {
    "search": ("search", "--index", "OUT", "A man"),
    "status": ("index", "status", "OUT", "--json"),
}


def read_only(
    place: Path, names: Sequence[str] = tuple(WORKS), world: World | None = None
) -> Outcome:
    """On a disk that may only be read: one line, nothing changed; an index there answers."""
    world = world or World.make(place / "world", names)
    promise = "a read-only disk is told, and an index on it answers"
    failures: list[str] = []
    library = ctypes.CDLL(None, use_errno=True)
    tasks = [(name, WORKS[name]) for name in names]
    if "build" in world.wanted:
        tasks += [(name, Work(name, words, changes=True)) for name, words in LOOKS.items()]
    for number, (name, work) in enumerate(tasks):
        disk = place / f"disk-{number}"
        with _small_disk(disk, DISK_BYTES) as mounted:
            trial = _Trial(world, work, disk / "work", None)
            if mounted:
                world.begin(work, trial.place)
            if not mounted or library.mount(None, os.fsencode(disk), None, READ_ONLY, None):
                return Outcome(promise, 1, [], NOT_TRIED)
            kept = digests(trial.place)
            code, wanted = trial.done(), (0,) if name in LOOKS else (1, 2, 3, 4)
            said = trial.said()
            lines = [line for line in said.splitlines() if line.startswith("nexus: error: ")]
            if code not in wanted or len(lines) != (code != 0) or "Traceback" in said:
                failures.append(f"{name}: exit {code}: {said.strip()[-200:]}")
            if digests(trial.place) != kept:
                failures.append(f"{name}: changed the disk")
        shutil.rmtree(trial.child)
    return Outcome(promise, len(tasks), failures)
