"""What a report is about, read from the folders of runs and sweeps; no sentence of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from nexus_engine.disk.named_folders import LATEST, NoSuchFolderError
from nexus_engine.errors import RunError, one_line
from nexus_engine.events import Event, RunFailed, RunFinished, Step, SwitchRecord
from nexus_engine.runs.folder import RunFolder, find_run
from nexus_engine.runs.run_view import EpochPoint, RunView, reduce
from nexus_engine.runs.summary import summarise
from nexus_engine.sweeps.folder import find_sweep
from nexus_engine.sweeps.reading import read_sweep
from nexus_engine.sweeps.view import SweepView

__all__ = ["Arm", "Gathered", "Run", "gather", "gather_run"]

MAX_LOSSES = 400
"""Step losses that a curve shows; more are thinned evenly, never averaged."""


MAX_WARNINGS = 20
"""Of a run; a damaged log may hold any number."""


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """The run proper ("main") or a control; `losses` are (step, loss)."""

    name: str
    points: tuple[EpochPoint, ...]
    losses: tuple[tuple[int, float], ...]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run. `result` is None unless it finished; `switches` are those of the result.

    `grown_after` has, by the number of a switch, the epoch after which its set was grown.
    `begun_unix_s` is when its first event happened; resuming it changes nothing there.
    """

    name: str
    begun_unix_s: float
    state: str
    message: str
    settings: dict[str, Any]
    facts: dict[str, Any]
    arms: tuple[Arm, ...]
    switches: tuple[SwitchRecord, ...]
    result: RunFinished | None
    grown_after: dict[int, int] = {}
    warnings: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """A short printable name."""
        return one_line(self.name, 60)


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one report holds; a sweep's finished runs are among `runs`."""

    runs: tuple[Run, ...]
    sweeps: tuple[SweepView, ...]


def _arms(view: RunView, losses: Mapping[str, Sequence[tuple[int, float]]]) -> tuple[Arm, ...]:
    """The arms of which anything was measured; `losses` are (step, loss) by arm."""
    arms = []
    for arm in view.arms:
        if arm.points:
            steps = losses.get(arm.name, ())
            stride = max(1, -(-len(steps) // MAX_LOSSES))
            arms.append(Arm(name=arm.name, points=arm.points, losses=tuple(steps[::stride])))
    return tuple(arms)


def _folded(events: Sequence[Event]) -> tuple[RunView, dict[str, list[tuple[int, float]]]]:
    """The run after its events, steps left out, and every (step, loss) of each arm.

    A view joins steps when there are many; a report shows single ones.
    """
    view, losses = RunView(), dict[str, list[tuple[int, float]]]()
    for event in events:
        if isinstance(event, Step):
            steps = losses.setdefault(event.arm, [])
            while steps and steps[-1][0] >= event.step:  # made again by a resumed run
                steps.pop()
            steps.append((event.step, event.loss))
        else:
            view = reduce(view, event)
    return view, losses


def gather_run(folder: RunFolder) -> Run:
    """The run in `folder`.

    Raises:
        RunError: there is no readable run there.
    """
    summary, facts, events = summarise(folder.path), folder.read_run(), folder.events()
    view, losses = _folded(events)
    result = view.ended if isinstance(view.ended, RunFinished) else None
    settings = facts.get("settings")
    return Run(
        name=folder.name,
        begun_unix_s=events[0].time_unix_s if events else 0.0,
        state=summary.state,
        message=one_line(view.ended.message, 300) if isinstance(view.ended, RunFailed) else "",
        settings=settings if isinstance(settings, dict) else {},
        facts=facts,
        arms=_arms(view, losses),
        switches=() if result is None else result.switch_records,
        result=result,
        grown_after={switch.switch: switch.epoch for switch in view.arm("main").switches},
        warnings=_warnings(folder.name, view),
    )


def _warnings(name: str, view: RunView) -> tuple[str, ...]:
    """What the run warned of, each once: its figures may not mean what they seem to."""
    lines = dict.fromkeys(one_line(message, 600) for message in view.warnings)
    return tuple(f"{one_line(name, 60)}, warning: {line}" for line in lines)[:MAX_WARNINGS]


def gather(asked: Sequence[str]) -> Gathered:
    """The runs and sweeps that `asked` names: a run's or sweep's name or folder, or `latest`.

    Raises:
        RunError: one of them is neither.
    """
    runs: list[Run] = []
    sweeps: list[SweepView] = []
    for name in asked:
        try:
            runs.append(gather_run(find_run(name)))
            continue
        except NoSuchFolderError as error:
            no_run = error
        try:
            sweep = find_sweep(name)
        except NoSuchFolderError:
            if name == LATEST:
                raise no_run from None
            raise RunError(
                f"{one_line(name, 120)}: no such run or sweep; `nexus runs` lists runs"
            ) from None
        view = read_sweep(sweep.path)
        sweeps.append(view)
        runs += [
            gather_run(RunFolder(sweep.run_path(cell.cell)))
            for cell in view.cells
            if cell.state == "finished"
        ]
    return Gathered(runs=tuple(runs), sweeps=tuple(sweeps))
