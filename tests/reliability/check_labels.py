"""Label files: SIGKILL while verdicts are given, power cuts, disks that fill."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from nexus_engine.errors import ExitCode, NexusError
from nexus_engine.labels.label_file import LabelFile
from nexus_engine.labels.reading import read_acts, read_labels
from nexus_engine.labels.standing import Standing
from nexus_engine.labels.verdicts import Undo, key_of
from reliability import children, power
from reliability.faults import failing, killing, operations
from reliability.outcome import Outcome

NAME = "labels.jsonl"
ACTS = 6
"""In a power cut and on a full disk: with an undo and a verdict that replaces one among them."""
SECONDS = 0.15
"""In which a kill that is not inside a write comes, after the first verdict."""


def _act(labels: LabelFile, draw: random.Random) -> str:
    """One random act, as keys would ask for it; its id once it is acknowledged."""
    a, b = (f"Sentence {draw.randrange(40)}." for _ in range(2))
    way = draw.randrange(10)
    if way == 0:
        undone = labels.undo()
        return "" if undone is None else f"undo {undone.id}"
    if way < 6:
        return labels.judge_pair(a, b, "grade", grade=draw.randrange(6)).id
    if way < 9:
        return labels.judge_passage(a, b, "mark", relevant=draw.random() < 0.5).id
    return labels.judge_pair(a, b, draw.choice(("unsure", "skip"))).id


def _keyed(folder: Path, *, seed: int, kill_in_write: int | None, how: str) -> None:
    """In a child: verdicts without end; each that was acknowledged goes into the file `told`."""
    draw = random.Random(seed)
    told = os.open(folder / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def work() -> None:
        with LabelFile.open(folder / NAME, "ann") as labels:
            while True:
                done = _act(labels, draw)
                if done:
                    acknowledge(told, f"{done}\n".encode())

    acknowledge = os.write  # the true one, so that it is no operation to die in
    if kill_in_write is None:
        work()
    with operations(killing(kill_in_write, how)):
        work()


def _faults(folder: Path) -> list[str]:
    """What is wrong with the file after a kill."""
    acknowledged = (folder / "acknowledged").read_text().split("\n")[:-1]
    acts = read_acts(folder / NAME)
    known = [f"undo {act.undoes}" if isinstance(act, Undo) else act.id for act in acts.acts]
    counts, wrong = Counter(known), []
    missing = [line for line in acknowledged if line not in counts]
    wrong += [f"{len(missing)} acknowledged acts are not there"] if missing else []
    wrong += [f"{line} is there twice" for line, times in counts.items() if times > 1]
    sure = set(acknowledged)
    order = [line for line in known if line in sure]
    wrong += ["the acts are in another order"] if order != acknowledged else []
    standing = Standing(acts.acts).verdicts()
    keys = Counter((verdict.rater, key_of(verdict)) for verdict in standing)
    wrong += ["an item stands twice"] if max(keys.values(), default=1) > 1 else []
    return wrong


def _is_under_way(folder: Path, size: int, process: BaseProcess) -> bool:
    return (folder / "acknowledged").stat().st_size > size or not process.is_alive()


def killed(place: Path, kills: int, mutation: str | None = None) -> Outcome:
    """SIGKILL at random times, a third of them inside a write, all on one growing file."""
    folder = place / "labels"
    folder.mkdir()
    (folder / "acknowledged").touch()
    failures: list[str] = []
    for number in range(kills):
        draw = random.Random(number)
        # Past the operations by which a file is opened; an act is a write and a sync.
        inside = draw.randrange(12, 60) if number % 3 == 0 else None
        how = ("half", "before", "after")[number // 3 % 3]
        sizes = (folder / "acknowledged").stat().st_size
        process = children.start(
            _keyed, folder, mutation, seed=number, kill_in_write=inside, how=how
        )
        if inside is None:
            children.wait_until(partial(_is_under_way, folder, sizes, process))
            time.sleep(draw.uniform(0, SECONDS))
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
        code = children.finish(process)
        if code != -signal.SIGKILL:
            said = (folder / "stderr").read_text()[-300:]
            failures.append(f"kill {number}: ended with {code} before the kill: {said}")
            break
        failures += [f"kill {number}: {line}" for line in _faults(folder)]
    labels = read_labels(folder / NAME)
    acts = len(read_acts(folder / NAME).acts)
    note = f"{acts:,} acts, {labels.damaged} torn lines, none counted"
    if not labels.damaged:
        failures.append("no kill tore a line: nothing was tried")
    return Outcome("a killed rater loses no verdict that was kept", kills, failures, note)


def _steps(path: Path) -> tuple[list[Callable[[], Any]], Callable[[], list[str]]]:
    """The opening and the acts, one at a time; and the ids acknowledged so far."""
    labels: list[LabelFile] = []
    done: list[str] = []
    draw = random.Random(5)

    def begin() -> None:
        labels.append(LabelFile.open(path, "ann"))

    def act() -> None:
        done.append(_act(labels[0], draw))

    def undo() -> None:
        undone = labels[0].undo()
        assert undone is not None
        done.append(f"undo {undone.id}")

    def end() -> None:
        for each in labels:
            each.close()

    return [begin, *[act] * (ACTS - 1), undo, act, end], lambda: [each for each in done if each]


def _known(path: Path) -> list[str]:
    acts = read_acts(path).acts if path.exists() else []
    return [f"undo {act.undoes}" if isinstance(act, Undo) else act.id for act in acts]


def _woken(path: Path, acknowledged: list[str], later: list[str]) -> list[str]:
    """What is wrong with the label file that a machine wakes up to."""
    try:
        with LabelFile.open(path, "ann") as labels:
            added = labels.judge_pair("After", "the cut", "grade", grade=3).id
        known = _known(path)
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]
    wrong = []
    if known[: len(acknowledged)] != acknowledged:
        wrong.append(f"of {len(acknowledged)} acknowledged acts {len(known) - 1} are there")
    if known[len(acknowledged) : -1] not in ([], later[:1]):
        wrong.append("acts are there that nobody gave")
    if known[-1:] != [added]:
        wrong.append("a verdict after the cut is not there")
    return wrong


def cut_at_each_moment(place: Path) -> Outcome:
    """A power cut after each operation, with what was not pushed there, torn, zeroed or lost."""
    worked, original = place / "worked", place / "original"
    worked.mkdir()
    original.mkdir()
    steps, done = _steps(worked / NAME)
    stretches = []
    for step in steps:
        found = power.record(step, worked)
        stretches.append((found, list(done())))
    disk = power.Disk(original)
    failures: list[str] = []
    seen: set[str] = set()
    trials = moments = 0
    acknowledged: list[str] = []
    everything = stretches[-1][1]
    for found, after in stretches:
        for number, operation in enumerate([("begin", ""), *found]):
            if number:
                disk.apply(operation)
                moments += 1
            ended = number == len(found)
            sure = after if ended else acknowledged
            for tree in disk.states():
                state = hashlib.sha256(repr((sure, sorted(tree.items()))).encode()).hexdigest()
                if state in seen:
                    continue
                seen.add(state)
                trials += 1
                power.build(tree, place / "woken")
                wrong = _woken(place / "woken" / NAME, sure, everything[len(sure) :])
                failures += [f"cut after {operation[:2]}, {len(sure)} acts: {w}" for w in wrong]
                shutil.rmtree(place / "woken")
        acknowledged = after
    note = f"{moments} operations, every state after each"
    return Outcome("a power cut loses no verdict that was kept", trials, failures, note)


ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT)


def failed_at_each_operation(place: Path, codes: tuple[int, ...] = ERRORS) -> Outcome:
    """An I/O error at each operation, once, for good, and after half a write: one line, no loss."""
    failures: list[str] = []
    trials = 0
    for code in codes:
        for for_good, half in ((False, False), (True, False), (True, True)):
            for at in range(1, 200):
                folder = place / "full"
                folder.mkdir()
                steps, done = _steps(folder / NAME)
                what = f"{errno.errorcode[code]} {'from' if for_good else 'at'} operation {at}"
                with operations(failing(at, code, for_good=for_good, half=half)) as count:
                    for step in steps[:-1]:
                        try:
                            step()
                        except NexusError as error:
                            if error.exit_code != ExitCode.RESOURCES or "\n" in str(error):
                                failures.append(f"{what}: {error!r}")
                        except (IndexError, AssertionError):
                            break  # the file could not be opened, or there is nothing to undo
                    reached = count() >= at
                steps[-1]()  # the disk works again
                trials += 1
                failures += [f"{what}: {w}" for w in _woken(folder / NAME, done(), [])]
                shutil.rmtree(folder)
                if not reached:
                    break
            else:
                failures.append(f"{errno.errorcode[code]}: the acts came to no end")
    return Outcome("a full disk keeps no half of a verdict", trials, failures)
