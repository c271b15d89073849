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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
    counted_command,
    digests,
    interrupted,
)

DISK_BYTES = 150_000_000
READ_ONLY = 32 | 1
"""MS_REMOUNT and MS_RDONLY of mount(2)."""


def _trial(
    world: World, work: Work, place: Path, fault: Callable[[Path], list[str]], mutation: str | None
) -> list[str]:
    """Begin, meet the fault, judge, complete, judge."""
    world.begin(work, place)
    child = place.with_name(f"{place.name}-child")
    wrong = fault(child) or interrupted(world, work, place)
    wrong = wrong or completed(world, work, place, mutation, child)
    shutil.rmtree(place)
    shutil.rmtree(child)
    return wrong


def killed(
    place: Path, each: int, names: Sequence[str] = tuple(WORKS), mutation: str | None = None
) -> Outcome:
    """SIGKILL at `each` random times of each work, one after another, then it is completed."""
    world = World.make(place / "world", names, mutation)
    failures: list[str] = []
    met = 0
    for name in names:
        work, chance = WORKS[name], random.Random(name)

        def fault(child: Path, work: Work = work, chance: random.Random = chance) -> list[str]:
            nonlocal met
            at = child.with_name(child.name.removesuffix("-child"))
            wrong: list[str] = []
            for _ in range(each):
                process = children.start(command, child, mutation, **world.call(work, at))
                process.join(chance.uniform(0, world.seconds[work.name]))
                if process.is_alive():
                    met += 1
                    assert process.pid is not None
                    os.kill(process.pid, signal.SIGKILL)
                code = children.finish(process)
                if code not in (0, -signal.SIGKILL):
                    wrong.append(f"ended with {code} before the kill")
                wrong += interrupted(world, work, at)
                if wrong:
                    break
            return wrong

        found = _trial(world, work, place / f"kill-{name.replace(' ', '-')}", fault, mutation)
        failures += [f"{name}: {line}" for line in found]
    if not met:
        failures.append("no kill met a command at work")
    return Outcome("a killed export, embedding or index goes on", met, failures)


def killed_at_operations(
    place: Path,
    names: Sequence[str] = SMALL,
    stride: int = 1,
    hows: Sequence[str] = ("before", "half", "after"),
    mutation: str | None = None,
) -> Outcome:
    """SIGKILL at each operation by which Python changes files; SQLite's own are met at random."""
    world = World.make(place / "world", names, mutation)
    failures: list[str] = []
    trials = 0
    for name in names:
        work = WORKS[name]
        counted = place / f"counted-{name.replace(' ', '-')}"
        world.begin(work, counted)
        total = children.call(
            counted_command, place / "count", mutation, **world.call(work, counted)
        )["operations"]  # fmt: skip
        for at in range(1, total + 1, stride):
            for how in hows:

                def fault(
                    child: Path, at: int = at, how: str = how, work: Work = work
                ) -> list[str]:
                    where = child.with_name(child.name.removesuffix("-child"))
                    process = children.start(
                        command, child, mutation, kill=(at, how), **world.call(work, where)
                    )
                    code = children.finish(process)
                    return [] if code in (0, -signal.SIGKILL) else [f"ended with {code}"]

                trials += 1
                found = _trial(world, work, place / f"at-{at}-{how}", fault, mutation)
                failures += [f"{name}, {how} operation {at} of {total}: {x}" for x in found]
    return Outcome("killed at an operation, it goes on", trials, failures)


SIGNALS = {signal.SIGINT: (130,), signal.SIGTERM: (143, -15), signal.SIGHUP: (129, -1)}


def signalled(
    place: Path, each: int, names: Sequence[str] = tuple(WORKS), mutation: str | None = None
) -> Outcome:
    """INT, TERM and HUP at random times of each work, which is then completed."""
    world = World.make(place / "world", names, mutation)
    failures: list[str] = []
    met = 0
    for name in names:
        work, chance = WORKS[name], random.Random(f"signals {name}")
        for number in each * list(SIGNALS):

            def fault(
                child: Path,
                work: Work = work,
                number: int = number,
                chance: random.Random = chance,
            ) -> list[str]:
                nonlocal met
                at = child.with_name(child.name.removesuffix("-child"))
                process = children.start(command, child, mutation, **world.call(work, at))
                process.join(chance.uniform(0.1, world.seconds[work.name]))
                if process.is_alive():
                    met += 1
                    assert process.pid is not None
                    os.kill(process.pid, number)
                code = children.finish(process)
                told = children.told(child)
                code = told["code"] if code == 0 and told else code
                said = (child / "stderr").read_text()
                wrong = [] if code in (0, *SIGNALS[number]) else [f"ended with {code}"]
                return wrong + (["a traceback"] if "Traceback" in said else [])

            found = _trial(world, work, place / f"signal-{met}-{number}", fault, mutation)
            failures += [f"{name}, {signal.Signals(number).name}: {line}" for line in found]
    return Outcome("a signal leaves it whole, absent or resumable", met, failures)


@contextmanager
def _disk(at: Path, size: int = DISK_BYTES) -> Iterator[Path | None]:
    with _small_disk(at, size) as mounted:
        yield at if mounted else None


NOT_TRIED = "not tried: only root may mount a small file system"


def disk_filled(
    place: Path,
    left: Sequence[int],
    names: Sequence[str] = tuple(WORKS),
    mutation: str | None = None,
) -> Outcome:
    """A real small disk with so many bytes left: exit 4 and a line; with more room it goes on."""
    world = World.make(place / "world", names, mutation)
    promise = "a full disk: exit 4, and with room it goes on"
    failures: list[str] = []
    trials = 0
    for name in names:
        for bytes_left in left:
            with _disk(place / f"disk-{trials}") as disk:
                if disk is None:
                    return Outcome(promise, 1, [], NOT_TRIED)
                filler = disk / "filler"

                def fault(child: Path, work: Work = WORKS[name], left: int = bytes_left,
                          disk: Path = disk) -> list[str]:  # fmt: skip
                    at = child.with_name(child.name.removesuffix("-child"))
                    _fill(disk, left)
                    told = children.call(
                        command, child, mutation, room=False, **world.call(work, at)
                    )
                    (disk / "filler").unlink()
                    lines = [x for x in (child / "stderr").read_text().splitlines() if
                             x.startswith("nexus: ")]  # fmt: skip
                    if told["code"] == 0:
                        return [] if left else ["exit 0 on a full disk"]
                    if told["code"] != 4 or len(lines) != 1 or "internal" in lines[0]:
                        return [f"exit {told['code']}: {lines[-1:]}"]
                    return []

                trials += 1
                found = _trial(world, WORKS[name], disk / "work", fault, mutation)
                failures += [f"{name}, {bytes_left:,} bytes left: {line}" for line in found]
                filler.unlink(missing_ok=True)
    return Outcome(promise, trials, failures)


def disk_failed(
    place: Path,
    names: Sequence[str] = SMALL,
    codes: Sequence[int] = (errno.ENOSPC, errno.EIO, errno.EDQUOT),
    stride: int = 1,
    mutation: str | None = None,
) -> Outcome:
    """I/O errors at Python's operations, once and for good: exit 4 or done, and then completed."""
    world = World.make(place / "world", names, mutation)
    failures: list[str] = []
    trials = 0
    for name in names:
        work = WORKS[name]
        counted = place / f"counted-{name.replace(' ', '-')}"
        world.begin(work, counted)
        total = children.call(
            counted_command, place / "count", mutation, **world.call(work, counted)
        )["operations"]  # fmt: skip
        tasks = [(at, code, good) for at in range(1, total + 1, stride) for code in codes
                 for good in (False, True)]  # fmt: skip
        for at, code, for_good in tasks:

            def fault(
                child: Path, task: Any = (at, code, for_good), work: Work = work
            ) -> list[str]:
                where = child.with_name(child.name.removesuffix("-child"))
                told = children.call(command, child, mutation, fail=task, **world.call(work, where))
                said = (child / "stderr").read_text()
                is_told = told["code"] in (0, 4) and "Traceback" not in said
                return [] if is_told else [f"exit {told['code']}: {said.strip()[-160:]}"]

            trials += 1
            how = (
                f"{errno.errorcode[code]} {'from' if for_good else 'at'} operation {at} of {total}"
            )
            found = _trial(world, work, place / f"fail-{trials}", fault, mutation)
            failures += [f"{name}, {how}: {line}" for line in found]
    return Outcome("an I/O error: exit 4, and then it goes on", trials, failures)


def read_only(place: Path, names: Sequence[str] = tuple(WORKS)) -> Outcome:
    """On a disk that may only be read: one line, nothing changed; an index there answers."""
    world = World.make(place / "world", names)
    promise = "a read-only disk is told, and an index on it answers"
    failures: list[str] = []
    trials = 0
    libc = ctypes.CDLL(None, use_errno=True)
    looks = {
        "search": ("search", "--index", "OUT", "A man"),
        "status": ("index", "status", "OUT", "--json"),
    }
    tasks = [(name, WORKS[name]) for name in names]
    if "build" in world.wanted:
        tasks += [(name, Work(name, words, changes=True)) for name, words in looks.items()]
    for name, work in tasks:
        with _disk(place / f"disk-{trials}") as disk:
            if disk is None:
                return Outcome(promise, 1, [], NOT_TRIED)
            at = disk / "work"
            world.begin(work, at)
            kept = digests(at)
            if libc.mount(None, os.fsencode(disk), None, READ_ONLY, None):
                return Outcome(promise, 1, [], NOT_TRIED)
            trials += 1
            child = place / f"child-{trials}"
            told = children.call(command, child, **world.call(work, at))
            said = (child / "stderr").read_text()
            lines = [line for line in said.splitlines() if line.startswith("nexus: error: ")]
            wanted = (0,) if name in looks else (1, 2, 3, 4)
            if told["code"] not in wanted or len(lines) != (told["code"] != 0):
                failures.append(f"{name}: exit {told['code']}: {said.strip()[-200:]}")
            if "Traceback" in said or "internal error" in said:
                failures.append(f"{name}: {said.strip()[-200:]}")
            if digests(at) != kept:
                failures.append(f"{name}: changed the disk")
    return Outcome(promise, trials, failures)
