"""A power cut at any moment of a save: the loader finds the old state or the new one."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from reliability import power, storage
from reliability.check_saving import _judged
from reliability.outcome import Outcome


def cut_at_each_moment(place: Path, every: int = 1) -> Outcome:
    """Replay each prefix of a save's operations, with what was not pushed there, torn or lost."""
    original, worked = place / "original", place / "worked"
    storage.prepare(original)
    shutil.copytree(original, worked)
    operations = power.record(lambda: storage.save_again(worked), worked)
    disk = power.Disk(original)
    failures: list[str] = []
    seen: set[str] = set()
    trials = 0
    for moment in range(len(operations) + 1):
        if moment:
            disk.apply(operations[moment - 1])
        ended = moment == len(operations)
        if moment % every and not ended:
            continue
        for tree in disk.states():
            digest = hashlib.sha256(repr((ended, sorted(tree.items()))).encode()).hexdigest()
            if digest in seen:
                continue
            seen.add(digest)
            trials += 1
            path = place / "woken"
            power.build(tree, path)
            done = operations[moment - 1][:2] if moment else "nothing"
            wrong = _judged(path, must_be_new=ended, logged=False)
            failures += [f"cut after operation {moment} {done}: {line}" for line in wrong]
            shutil.rmtree(path)
    note = f"{len(operations)} operations, every state after each"
    return Outcome("a power cut leaves the old or the new state", trials, failures, note)
