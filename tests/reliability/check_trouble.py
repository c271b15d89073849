"""Trouble inside a training: a full disk, no memory, numbers that stop being finite."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from reliability import children, tiny_runs, uninterrupted_runs
from reliability.faults import failing, operations
from reliability.outcome import Outcome

CASES = ("dendrites", "questions")


def _session(folder: Path, settings: Any, *, resume: bool = False) -> dict[str, Any]:
    """A run by its session, as the commands run it; the terminal event."""
    from nexus_engine.disk.json_text import plain
    from nexus_engine.runs.folder import RunFolder
    from nexus_engine.session import Session

    at = folder / "run"
    session = Session(
        settings, RunFolder(at) if resume else RunFolder.create(at, "x"), resume=resume
    )
    watcher = session.subscribe()
    session.start()
    *_, last = watcher.follow()
    session.wait()
    found: dict[str, Any] = plain(last)
    return found


def _resumed(folder: Path, *, case: str) -> dict[str, Any]:
    tiny_runs.make_tiny()
    return _session(folder, tiny_runs.settings_of(folder, case), resume=True)


def _state(at: Path) -> list[Any]:
    """The last whole checkpoint and the best weights: what must not get worse."""
    from nexus_engine.runs import checkpoints
    from nexus_engine.runs.saved_model import intact_card

    found = checkpoints.load_latest(at / "checkpoints")
    card = intact_card(at / "best")
    return [None if found is None else found.name, None if card is None else card.epoch]


# The disk


def _on_a_bad_disk(folder: Path, *, case: str, at: int, code: int, for_good: bool) -> list[Any]:
    """In a child: a run whose operation `at` (and with `for_good` each later one) fails."""
    tiny_runs.make_tiny()
    settings = tiny_runs.settings_of(folder, case)
    try:
        with operations(failing(at, code, for_good=for_good, half=True)) as count:
            ended = _session(folder, settings)
    except Exception as error:  # the folder itself could not be made: told by the command
        return [type(error).__name__, getattr(error, "exit_code", None), count(), str(error)]
    return [ended["event"], ended.get("exit_code"), count(), ended.get("message", "")]


def disk_fails(
    place: Path,
    picks: list[int],
    codes: tuple[int, ...],
    mutation: str | None = None,
    cases: tuple[str, ...] = CASES,
) -> Outcome:
    """I/O errors at operations of a real run, once and for good: exit 4, then resumed."""
    outcomes = [_disk_fails(place / case, case, picks, codes, mutation) for case in cases]
    return Outcome(
        outcomes[0].promise,
        sum(outcome.trials for outcome in outcomes),
        [line for outcome in outcomes for line in outcome.failures],
        ", ".join(outcome.note for outcome in outcomes),
    )


def _disk_fails(
    place: Path, case: str, picks: list[int], codes: tuple[int, ...], mutation: str | None
) -> Outcome:
    folder = place / "whole"
    tiny_runs.write_data(folder / "pairs")
    _, _, total, _ = children.call(
        _on_a_bad_disk, folder, case=case, at=10**9, code=errno.EIO, for_good=False
    )
    whole = tiny_runs.facts(folder / "run")
    tasks = [
        (code, for_good, at % total + 1)
        for code in codes
        for for_good in (False, True)
        for at in picks
    ]

    def attempt(task: tuple[int, bool, int]) -> list[str]:
        code, for_good, at = task
        name = f"{errno.errorcode[code]} {'from' if for_good else 'at'} operation {at} of {total}"
        folder = place / name.replace(" ", "-")
        tiny_runs.write_data(folder / "pairs")
        said = children.call(
            _on_a_bad_disk, folder, mutation, case=case, at=at, code=code, for_good=for_good
        )
        event, exit_code, _, message = said
        if (
            event == "run_finished"
        ):  # the operation was one that may fail, such as removing old files
            return [] if tiny_runs.facts(folder / "run") == whole else [f"{name}: another result"]
        if not (folder / "run" / "run.json").is_file():
            told = event in ("run_failed", "OSError") or (event, exit_code) == ("ResourceError", 4)
            return [] if told else [f"{name}: {event}, exit {exit_code}"]
        wrong = []
        if event != "run_failed" or exit_code != 4:
            wrong.append(f"{name}: {event}, exit {exit_code}: {message}")
        if "\n" in message or "Traceback" in (folder / "stderr").read_text():
            wrong.append(f"{name}: no plain message")
        children.call(_resumed, folder, mutation, case=case)
        found = tiny_runs.facts(folder / "run")
        return wrong + [
            f"{name}: resumed, {key} differ" for key in whole if found[key] != whole[key]
        ]

    with ThreadPoolExecutor(2) as two:
        failures = [line for lines in two.map(attempt, tasks) for line in lines]
    note = f"of {total} operations of a run ({case})"
    return Outcome("I/O errors lose nothing (in a run)", len(tasks), failures, note)


# Memory and numbers

Spoil = Callable[[], None]


def _spoiled_step(change: Callable[[Any, Any], Any]) -> None:
    """Let `change` stand in for the fifth step: (arm, what the step gave) to what is told."""
    from nexus_engine.training.arm.arm import Arm

    made = Arm.make_step

    def step(self: Arm, picked: Any) -> Any:
        result = made(self, picked)
        return change(self, result) if self.progress.step == 5 else result

    Arm.make_step = step  # type: ignore[method-assign]


def _no_memory(kind: str) -> Any:
    import torch

    match kind:
        case "MemoryError":
            raise MemoryError
        case "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
    return torch.empty(1 << 50)  # torch's own words, whatever they are in this version


def _spoil(what: str) -> None:
    import torch

    from nexus_engine.runs import checkpoints
    from nexus_engine.training.arm import loop as arm_loop
    from nexus_engine.training.arm.arm import Arm

    kind, _, where = what.partition(" in ")
    match where:
        case "train":
            _spoiled_step(lambda arm, result: _no_memory(kind))
        case "evaluate":
            measured = Arm.cosines

            def cosines(self: Arm, *given: Any) -> Any:
                if self.progress.epoch == 2:
                    _no_memory(kind)
                return measured(self, *given)

            Arm.cosines = cosines  # type: ignore[method-assign]
        case "save":
            write, calls = checkpoints.write_tensors, []

            def save(*given: Any) -> Any:
                calls.append(1)
                return _no_memory(kind) if len(calls) == 2 else write(*given)

            checkpoints.write_tensors = save
        case "loss":
            _spoiled_step(lambda arm, result: result._replace(loss=torch.tensor(float(kind))))
        case "gradient":
            _spoiled_step(lambda arm, result: result._replace(grad_norm=torch.tensor(float(kind))))
        case "weight":

            def weight(arm: Arm, result: Any) -> Any:
                next(iter(arm.trained().values())).data.view(-1)[0] = float(kind)
                return result

            _spoiled_step(weight)
        case "metric":
            found = arm_loop.judged

            def metric(*given: Any) -> Any:
                judgement = yield from found(*given)
                return judgement._replace(score=float(kind))

            arm_loop.judged = metric


MEMORY = [
    f"{kind} in {where}"
    for kind in ("MemoryError", "cuda", "cpu")
    for where in ("train", "evaluate", "save")
]
NUMBERS = [
    f"{kind} in {where}" for kind in ("nan", "inf") for where in ("loss", "gradient", "weight")
]
NUMBERS += ["nan in metric"]


def _run_spoiled(folder: Path, *, case: str, what: str) -> list[Any]:
    """In a child: a run that meets `what`; its end, what is on the disk, the last step told."""
    tiny_runs.make_tiny()
    _spoil(what)
    ended = _session(folder, tiny_runs.settings_of(folder, case))
    lines = (folder / "run" / "events.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines if '"step",' in line]
    return [ended, _state(folder / "run"), max(steps, default=0)]


def trouble(
    place: Path,
    names: list[str],
    exit_code: int,
    promise: str,
    mutation: str | None = None,
    cases: tuple[str, ...] = CASES,
) -> Outcome:
    """Each trouble ends the run with its code, the best untouched, resumable to the usual end."""

    def attempt(task: tuple[str, str]) -> list[str]:
        case, what = task
        whole = uninterrupted_runs.whole(place, case).facts
        name = f"{case}: {what}"
        folder = place / name.replace(" ", "-")
        tiny_runs.write_data(folder / "pairs")
        ended, state, step = children.call(_run_spoiled, folder, mutation, case=case, what=what)
        wrong = []
        if ended["event"] != "run_failed" or ended["exit_code"] != exit_code:
            wrong.append(f"{name}: {ended}"[:300])
        # Where the save itself failed, the best is known to be finite and is written beside it.
        if state[1] is None or state[1] > (2 if name.endswith("save") else 1):
            wrong.append(f"{name}: best/ is of epoch {state[1]}")
        if exit_code == 5 and step > 6 and "metric" not in name and "weight" not in name:
            wrong.append(f"{name}: seen at step {step}, not at 5")
        again = children.call(_resumed, folder, case=case)
        if again["event"] != "run_finished" or tiny_runs.facts(folder / "run") != whole:
            wrong.append(f"{name}: not resumed to the usual end: {again.get('message')}")
        if _batch_size(folder) != tiny_runs.TINY["batch_size"]:
            wrong.append(f"{name}: another batch size")
        return wrong

    with ThreadPoolExecutor(2) as two:
        tasks = [(case, what) for case in cases for what in names]
        failures = [line for lines in two.map(attempt, tasks) for line in lines]
    return Outcome(promise, len(tasks), failures)


def _batch_size(folder: Path) -> int:
    settings = json.loads((folder / "run" / "run.json").read_text())["settings"]
    return int(settings["batch_size"])
