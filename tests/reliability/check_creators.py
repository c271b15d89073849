"""Processes that make the same folder at the same instant: one has it, the others are refused."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from reliability import children
from reliability.outcome import Outcome

CREATORS = 2
APART_SECONDS = 0.02
"""Between two rounds."""
KINDS = (("run", "run"), ("sweep", "sweep"), ("run", "sweep"))
"""What the creators of a round make: the rounds take them in turn."""


def _make(kind: str, out: Path | None) -> Path:
    from nexus_engine.runs.folder import RunFolder
    from nexus_engine.sweeps.folder import SweepFolder
    from nexus_engine.sweeps.grid import default_grid

    if kind == "run":
        return RunFolder.create(out, "x").path
    return SweepFolder.create(out, "x", default_grid({})).path


def _create(folder: Path, *, place: str, number: int, rounds: int, together: Any) -> list[Any]:
    """In a child: in each round, make the round's folder when all others do; what came of each."""
    told: list[Any] = []
    together.wait()
    begun = time.monotonic() + APART_SECONDS
    for turn in range(rounds):
        kind = KINDS[turn % len(KINDS)][number % 2]
        named = turn % 5 != 4  # every fifth round makes folders without a name
        out = Path(place) / f"{turn:03d}" if named else None
        while time.monotonic() < begun + APART_SECONDS * turn:
            pass  # a process that sleeps or waits comes too late for the same instant
        try:
            told.append([kind, str(_make(kind, out)), None])
        except Exception as error:
            told.append([kind, type(error).__name__, getattr(error, "exit_code", None)])
    return told


def _kinds(log: Path) -> list[str]:
    """The kinds that the lines of a new log name: one line, unless two processes made it."""
    try:
        return [json.loads(line)["kind"] for line in log.read_text().splitlines()]
    except ValueError:
        return ["torn"]


def _faults(kind: str, path: Path) -> list[str]:
    """What is wrong with a winner's folder."""
    wrong = []
    expected = {"events.jsonl"} if kind == "run" else {"events.jsonl", "runs", "sweep.json"}
    found = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    if found != expected:
        wrong.append(f"the winner's {kind} holds {sorted(found)}")
    elif _kinds(path / "events.jsonl") != [
        "nexus-events" if kind == "run" else "nexus-sweep-events"
    ]:
        wrong.append(f"the winner's {kind} has another's log")
    return wrong


def created_at_once(place: Path, rounds: int, mutation: str | None = None) -> Outcome:
    """`rounds` folders made by two processes each, runs and sweeps: exactly one has each."""
    (place / "made").mkdir()
    together = children.context().Barrier(CREATORS, timeout=60)
    arguments = {"place": str(place / "made"), "rounds": rounds, "together": together}
    folders = [place / f"creator-{number}" for number in range(CREATORS)]
    processes = []
    for number, folder in enumerate(folders):
        folder.mkdir()
        (folder / "data").symlink_to(place / "data", target_is_directory=True)
        processes.append(children.start(_create, folder, mutation, number=number, **arguments))
    (place / "data").mkdir(exist_ok=True)
    codes = [children.finish(process) for process in processes]
    if any(codes):
        said = (folders[0] / "stderr").read_text()[-300:]
        return Outcome("of two creators one has the folder", rounds, [f"{codes}: {said}"])
    failures: list[str] = []
    for turn, outcomes in enumerate(zip(*map(children.told, folders), strict=True)):
        won = [(kind, Path(path)) for kind, path, code in outcomes if "/" in path and code is None]
        lost = [(name, code) for _, name, code in outcomes if "/" not in name]
        if turn % 5 == 4:
            if len({path for _, path in won}) != CREATORS:
                failures.append(f"round {turn}, no name given: {outcomes}")
        elif len(won) != 1 or any(code != 2 for _, code in lost):
            failures.append(f"round {turn}: {len(won)} winners, {lost}")
        failures += [f"round {turn}: {line}" for each in won for line in _faults(*each)]
    return Outcome("of two creators one has the folder", rounds, failures)
