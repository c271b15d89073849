"""Signals to `nexus train` itself: saved within a step, the documented code, resumable."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from reliability import children, tiny_runs
from reliability.outcome import Outcome

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
MOMENTS = ("step", "evaluation", "switch", "save", "start")


def _command(folder: Path, *, arguments: list[str], slow: str | None) -> None:
    """In a child: `nexus ARGUMENTS`; what `slow` names leaves a file and lasts a little longer."""
    from nexus_engine.runs import checkpoints
    from nexus_engine.scoring import evaluation
    from nexus_engine.training import run as training
    from nexus_engine.training.arm import loop as arm_loop

    tiny_runs.make_tiny()
    os.chdir(folder)
    mark = folder / "mark"

    def lasting(function: Any, skip: int = 1) -> Any:
        calls = 0

        def call(*given: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > skip and not mark.exists():
                mark.touch()
                time.sleep(0.15)
            return function(*given, **named)

        return call

    match slow:
        case "step":
            arm_loop.Arm.make_step = lasting(arm_loop.Arm.make_step)  # type: ignore[method-assign]
        case "evaluation":
            arm_loop.Arm.cosines = lasting(arm_loop.Arm.cosines)  # type: ignore[method-assign]
        case "switch":
            arm_loop.Arm.grow = lasting(arm_loop.Arm.grow)  # type: ignore[method-assign]
        case "save":
            checkpoints.write_tensors = lasting(checkpoints.write_tensors)
        case "start":
            training.prepare = lasting(training.prepare, skip=0)
    assert evaluation
    from nexus_tui.cli.main import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored where the suite itself runs under nohup
    code = main(arguments)
    os._exit(code)


OPTIONS = "--tune dendrites --place v --layers 1,3 --epochs 1000 --lr 3e-2 --units 1"
OPTIONS += " --switch-epochs 0,1,2,3 --batch-size 8 --threads 1 --json --out run"
DATA = ("pairs", "questions")


def _arguments(folder: Path, data: str) -> list[str]:
    base = ["--base", "base"] if (folder / "base").exists() else []
    return ["train", "--data", data, *OPTIONS.split(), *base]


def _one(place: Path, number: int, moment: str, trial: int, mutation: str | None) -> list[str]:
    name = f"{signal.Signals(number).name} {trial} in {moment}"
    folder = place / name.replace(" ", "-")
    tiny_runs.write_data(folder / "pairs")
    data = DATA[trial // len(MOMENTS) % len(DATA)]
    arguments = _arguments(folder, data)
    process = children.start(_command, folder, mutation, arguments=arguments, slow=moment)
    if not children.wait_until(lambda: (folder / "mark").exists() or not process.is_alive()):
        process.kill()
        return [f"{name}: the moment never came"]
    time.sleep(0.01 * trial)
    before = _steps(folder)
    os.kill(process.pid or 0, number)
    code = children.finish(process)
    if code != CODES[signal.Signals(number)]:
        return [f"{name}: exit {code}, not {CODES[signal.Signals(number)]}"]
    lines = [json.loads(line) for line in (folder / "stdout").read_text().splitlines()]
    last, wrong = lines[-1], []
    if last["event"] != "run_stopped":
        wrong.append(f"{name}: the last event is {last['event']}")
    elif moment != "start":
        saved = folder / "run" / last["checkpoint"] / "manifest.json"
        if not saved.is_file():
            wrong.append(f"{name}: no checkpoint at {last['checkpoint']!r}")
        if last["step"] > before + 2:
            wrong.append(f"{name}: stopped at step {last['step']}, asked at {before}")
    if "Traceback" in (folder / "stderr").read_text():
        wrong.append(f"{name}: a traceback")
    # One that was stopped before it began has left nothing behind, and nothing to resume.
    unbegun = moment == "start" and not (folder / "run").exists()
    return wrong if unbegun else wrong + _resumes(folder, name)


def _steps(folder: Path) -> int:
    """Steps that had been made when the signal was sent: at most those reported and one more."""
    log = folder / "run" / "events.jsonl"
    found = 0
    for line in log.read_text().splitlines() if log.exists() else ():
        if '"event": "step"' in line:
            found = max(found, int(json.loads(line)["step"]))
    return found


def _resumes(folder: Path, name: str) -> list[str]:
    """The stopped run goes on for an epoch or two and can be stopped again."""
    arguments = ["train", "--resume", "run", "--json"]
    process = children.start(_command, folder, None, arguments=arguments, slow=None)
    events = folder / "run" / "events.jsonl"

    def resumed() -> bool:
        return events.read_text().count('"checkpoint_saved"') > kept or not process.is_alive()

    kept = events.read_text().count('"checkpoint_saved"')
    children.wait_until(resumed)
    os.kill(process.pid or 0, signal.SIGTERM)
    code = children.finish(process)
    return [] if code == 143 else [f"{name}: the resumed run ended with {code}"]


def signalled(
    place: Path,
    each: int,
    mutation: str | None = None,
    numbers: tuple[signal.Signals, ...] = tuple(CODES),
) -> Outcome:
    """INT, TERM and HUP, `each` times, at five kinds of moment; the second five on questions."""
    tasks = [
        (number, MOMENTS[trial % len(MOMENTS)], trial)
        for number in numbers
        for trial in range(each)
    ]
    with ThreadPoolExecutor(2) as two:
        found = two.map(lambda task: _one(place, *task, mutation), tasks)
        failures = [line for lines in found for line in lines]
    return Outcome("signals save and end the run", len(tasks), failures)


def forced(place: Path) -> Outcome:
    """A second INT ends the process at once, wherever it is; what was saved before stays."""
    moments = (("step", "pairs"), ("save", "questions"))

    def attempt(task: tuple[str, str]) -> list[str]:
        moment, data = task
        failures = []
        folder = place / f"forced-{moment}"
        tiny_runs.write_data(folder / "pairs")
        arguments = _arguments(folder, data)
        process = children.start(_command, folder, arguments=arguments, slow=moment)
        children.wait_until((folder / "mark").exists)
        os.kill(process.pid or 0, signal.SIGINT)
        time.sleep(0.03)
        os.kill(process.pid or 0, signal.SIGINT)
        begun = time.monotonic()
        code = children.finish(process, 60)
        if code != 130 or time.monotonic() - begun > 20:
            failures.append(f"{moment}: exit {code} after {time.monotonic() - begun:.1f} s")
        return failures + _resumes(folder, f"forced in {moment}")

    with ThreadPoolExecutor(2) as two:
        failures = [line for lines in two.map(attempt, moments) for line in lines]
    return Outcome("a second INT forces", len(moments), failures)
