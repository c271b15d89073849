"""A resumed run equals an uninterrupted one, bit by bit, wherever it was interrupted."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from reliability import children, tiny_runs, uninterrupted_runs
from reliability.faults import die
from reliability.outcome import Outcome

STEPS = 3
"""Steps of an epoch: 24 pairs in batches of 8."""


class Point(NamedTuple):
    """Where a run is interrupted: after the `nth` event of `kind` that `fits`.

    `checks` more times the loop may look for a stop, once before each step and each batch of an
    evaluation; None: it is killed with the event itself.
    """

    case: str
    kind: str
    nth: int = 1
    checks: int | None = 1
    fits: tuple[str, Any] | None = None
    again: Point | None = None
    timed: bool = False


POINTS: dict[str, Point] = {
    "before the first step": Point("dendrites", "EpochStarted"),
    "in an epoch": Point("dendrites", "EpochStarted", 2, checks=3),
    "in an epoch of a set that is rolled back": Point("dendrites", "EpochStarted", 1, checks=3),
    "in the evaluation of dev": Point("dendrites", "EpochStarted", 2, checks=STEPS + 1),
    "in the evaluation of the guard": Point("dendrites", "EpochStarted", 2, checks=STEPS + 2),
    "after an evaluation, killed": Point("dendrites", "Evaluated", 1, None, ("epoch", 2)),
    "at an epoch's end, killed": Point("dendrites", "CheckpointSaved", 2, None),
    "just after a switch": Point("dendrites", "DendritesAdded", 2),
    "just after a roll-back, killed": Point("dendrites", "SwitchSettled", 1, None),
    "in an epoch, killed, from a timed checkpoint": Point(
        "dendrites", "CheckpointSaved", 1, None, ("step", 5), timed=True
    ),
    "while the best weights are tested": Point("dendrites", "CheckpointSaved", 3),
    "while patience runs": Point("stall", "EpochStarted", 9, checks=2),
    "after an early stop": Point("stall", "CheckpointSaved", 1, 1, ("epoch", 17)),
    "a second time": Point(
        "dendrites",
        "EpochStarted",
        1,
        checks=2,
        again=Point("dendrites", "EpochStarted", 2, checks=3),
    ),
    "in a control": Point("control", "EpochStarted", 2, 2, ("arm", "control:no-dendrites")),
    # Three steps with a check of the guard before two of them; the evaluation of passages,
    # questions, ranks and guard; then two looks while negatives are mined.
    **{
        f"on questions, at look {look}": Point("questions", "EpochStarted", 2, look)
        for look in range(1, 12)
    },
    "on questions, after an evaluation, killed": Point(
        "questions", "Evaluated", 1, None, ("epoch", 2)
    ),
    "on questions, in an epoch, killed, from a timed checkpoint": Point(
        "questions", "CheckpointSaved", 1, None, ("step", 5), timed=True
    ),
    "on questions, while the best weights are tested": Point("questions", "CheckpointSaved", 3),
    "on questions, in a control": Point(
        "question control", "EpochStarted", 2, 2, ("arm", "control:no-dendrites")
    ),
}
SHORT = (
    "just after a roll-back, killed",
    "in an epoch, killed, from a timed checkpoint",
    "on questions, at look 11",
    "on questions, in an epoch, killed, from a timed checkpoint",
)


def _interrupted(folder: Path, *, point: list[Any], resume: bool) -> str:
    """In a child: train until the point; what the run ended with."""
    from nexus_engine.errors import ExitCode
    from nexus_engine.training import save_clock as saving
    from nexus_engine.training.arm import loop as arm_loop
    from nexus_engine.training.steering import Steering

    case, kind, nth, checks, fits, _, timed = point
    if timed:
        saving.EVERY_SECONDS = arm_loop.STEP_EVENT_SECONDS = 0.0  # at each step, however short

    class Counting(Steering):
        left = -1

        def check(self) -> None:
            if self.left > 0:
                self.left -= 1
                if self.left == 0:
                    self.stop("test", ExitCode.INTERRUPTED)
            super().check()

    seen = 0

    def meet(event: Any, steering: Any) -> None:
        nonlocal seen
        if type(event).__name__ != kind or (fits and getattr(event, fits[0]) != fits[1]):
            return
        seen += 1
        if seen == nth:
            if checks is None:
                die()
            steering.left = checks

    ended: str = tiny_runs.train(folder, case, resume=resume, meet=meet, steering=Counting())[
        "event"
    ]
    return ended


def _resumed(folder: Path, *, case: str) -> dict[str, Any]:
    ended = tiny_runs.train(folder, case, resume=True)
    if ended["event"] != "run_finished":
        return {"ended": ended}
    return tiny_runs.facts(folder / "run")


def _one(name: str, place: Path, whole: dict[str, Any], mutation: str | None) -> list[str]:
    folder = place / name.replace(" ", "-").replace(",", "")
    point: Point | None = POINTS[name]
    assert point is not None
    tiny_runs.write_data(folder / "pairs")
    resume = False
    while point is not None:
        process = children.start(_interrupted, folder, mutation, point=[*point], resume=resume)
        code = children.finish(process)
        ended = children.told(folder)
        if (code, ended) not in ((0, "run_stopped"), (-9, None)):
            return [f"{name}: was not interrupted there, but ended with {code}, {ended}"]
        resume, point = True, point.again
    case = POINTS[name].case
    found = children.call(_resumed, folder, mutation, case=case)
    shutil.rmtree(folder)
    return [f"{name}: {key} differ" for key in whole if found.get(key) != whole[key]]


def resumed_everywhere(
    place: Path, names: tuple[str, ...] = tuple(POINTS), mutation: str | None = None
) -> Outcome:
    """Each point: interrupted, resumed to the end, compared with the run that was left alone."""

    def attempt(name: str) -> list[str]:
        return _one(name, place, uninterrupted_runs.whole(place, POINTS[name].case).facts, mutation)

    with ThreadPoolExecutor(2) as two:
        failures = [line for lines in two.map(attempt, names) for line in lines]
    return Outcome("a resumed run equals an uninterrupted one", len(names), failures)
