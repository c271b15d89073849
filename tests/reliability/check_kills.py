"""Real trainings, killed at random moments and inside their saves, and resumed to the end."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from reliability import children, tiny_runs, uninterrupted_runs
from reliability.faults import killing, operations
from reliability.outcome import Outcome

CASES = ("dendrites", "adapter", "questions")


def _train(folder: Path, *, case: str, resume: bool, kill_in_save: int | None) -> str:
    """In a child: a whole run; with `kill_in_save` it dies at that operation of its saves."""
    from nexus_engine.training import saving as run_saving

    if kill_in_save is None:
        ended: str = tiny_runs.train(folder, case, resume=resume)["event"]
        return ended
    saving = run_saving.RunSaver.save
    seen = 0
    how = ("before", "half", "after")[kill_in_save % 3]

    def spied(self: Any, loop: Any) -> Any:
        nonlocal seen
        with operations(killing(kill_in_save - seen, how)) as count:
            event = saving(self, loop)
        seen += count()
        return event

    run_saving.RunSaver.save = spied  # type: ignore[method-assign]
    told: str = tiny_runs.train(folder, case, resume=resume)["event"]
    return told


def _one(place: Path, number: int, case: str, mutation: str | None) -> list[str]:
    whole, seconds = uninterrupted_runs.whole(place, case)
    chance = random.Random(number)
    folder = place / f"kill-{number}"
    tiny_runs.write_data(folder / "pairs")
    in_save = number % 3 == 0
    at = chance.randrange(1, 90) if in_save else None
    process = children.start(_train, folder, mutation, case=case, resume=False, kill_in_save=at)
    if not in_save:
        children.wait_until(lambda: (folder / "run").is_dir() or not process.is_alive())
        time.sleep(chance.uniform(0, seconds))
        if process.is_alive():
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
    code = children.finish(process)
    if code not in (0, -signal.SIGKILL):
        return [f"kill {number}: ended with {code} before the kill"]
    if code == 0:
        return ["missed"]  # it had come to its end: no trial
    if not tiny_runs.begun(folder / "run"):
        shutil.rmtree(folder)
        return ["missed"]  # nothing was begun: there is nothing to resume
    process = children.start(_train, folder, mutation, case=case, resume=True, kill_in_save=None)
    code = children.finish(process)
    if code != 0 or children.told(folder) != "run_finished":
        return [f"kill {number}: the resume ended with {code}, {children.told(folder)}"]
    found = tiny_runs.facts(folder / "run")
    shutil.rmtree(folder)
    return [f"kill {number} ({case}): {key} differ" for key in whole if found[key] != whole[key]]


def killed_at_random(place: Path, kills: int, mutation: str | None = None) -> Outcome:
    """Kill and resume until `kills` kills have met a live run; a third of them inside a save."""
    trials, number = 0, 0
    failures: list[str] = []
    with ThreadPoolExecutor(2) as two:
        while trials < kills and number < 4 * kills:
            numbers = range(number, number + kills - trials)
            number += len(numbers)
            cases = [CASES[(n + n // 3) % len(CASES)] for n in numbers]
            found = two.map(lambda n, case: _one(place, n, case, mutation), numbers, cases)
            for lines in found:
                if lines != ["missed"]:
                    trials += 1
                    failures += lines
    if trials < kills:
        failures.append(f"only {trials} kills met a live run")
    return Outcome("a killed run resumes, to the same end", trials, failures)
