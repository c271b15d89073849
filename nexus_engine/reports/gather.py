"""Reads the runs and sweeps of a report from their folders; no sentence of the data is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from nexus_engine.disk.named_folders import LATEST, NoSuchFolderError
from nexus_engine.errors import RunError, one_line
from nexus_engine.events import Event, GuardChecked, RunFailed, RunFinished, Step
from nexus_engine.runs.folder import RunFolder, find_run
from nexus_engine.runs.run_view import EpochPoint, RunView, reduce
from nexus_engine.runs.summary import summarise
from nexus_engine.scores import Metric, SwitchRecord
from nexus_engine.sweeps.folder import find_sweep
from nexus_engine.sweeps.reading import read_sweep
from nexus_engine.sweeps.view import SweepView

__all__ = ["Arm", "Gathered", "Run", "gather", "gather_run"]

MAX_LOSSES = 400
"""Points of steps in a curve; more are thinned evenly, never averaged."""
MAX_WARNINGS = 20
"""Warnings shown of a run; a damaged log may hold any number."""


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """The run proper (`main`) or a control; `losses` are pairs (step, loss).

    `keep_weights` are pairs (step, weight of the rehearsal), none without rehearsal.
    """

    name: str
    points: tuple[EpochPoint, ...]
    losses: tuple[tuple[int, float], ...]
    keep_weights: tuple[tuple[int, float], ...] = ()


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run. `result` is None unless it finished; `switches` are those of the result.

    `grown_after` maps the number of a switch to the epoch after which its set was grown.
    `begun_unix_s` is the time of the first event; it stays the same when the run resumes.
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
    metric: Metric = "spearman"
    grown_after: dict[int, int] = {}
    warnings: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """A short printable name."""
        return one_line(self.name, 60)


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """The runs and sweeps of a report; a sweep's finished runs are among `runs`."""

    runs: tuple[Run, ...]
    sweeps: tuple[SweepView, ...]


Curves = dict[str, list[tuple[int, float]]]
"""Pairs (step, value) by arm."""


def _arms(view: RunView, losses: Curves, weights: Curves) -> tuple[Arm, ...]:
    """The arms that were evaluated."""
    return tuple(
        Arm(
            name=arm.name,
            points=arm.points,
            losses=_thinned(losses.get(arm.name, ())),
            keep_weights=_thinned(weights.get(arm.name, ())),
        )
        for arm in view.arms
        if arm.points
    )


def _thinned(curve: Sequence[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    return tuple(curve[:: max(1, -(-len(curve) // MAX_LOSSES))])


def _folded(events: Sequence[Event]) -> tuple[RunView, Curves, Curves]:
    """The view of the run without its steps; every (step, loss) and (step, weight) by arm.

    A view merges steps when there are many; a report shows single steps.
    """
    view, losses, weights = RunView(), Curves(), Curves()
    for event in events:
        if isinstance(event, Step):
            _add(losses.setdefault(event.arm, []), event.step, event.loss)
            continue
        if isinstance(event, GuardChecked):
            _add(weights.setdefault(event.arm, []), event.step, event.keep_weight)
        view = reduce(view, event)
    return view, losses, weights


def _add(curve: list[tuple[int, float]], step: int, value: float) -> None:
    while curve and curve[-1][0] >= step:  # a resumed run repeats them
        curve.pop()
    curve.append((step, value))


def gather_run(folder: RunFolder) -> Run:
    """The run in `folder`.

    Raises:
        RunError: there is no readable run there.
    """
    summary, facts, events = summarise(folder.path), folder.read_run(), folder.events()
    view, losses, weights = _folded(events)
    result = view.ended if isinstance(view.ended, RunFinished) else None
    settings = facts.get("settings")
    return Run(
        name=folder.name,
        begun_unix_s=events[0].time_unix_s if events else 0.0,
        state=summary.state,
        message=one_line(view.ended.message, 300) if isinstance(view.ended, RunFailed) else "",
        settings=settings if isinstance(settings, dict) else {},
        facts=facts,
        arms=_arms(view, losses, weights),
        switches=() if result is None else result.switch_records,
        result=result,
        metric=view.metric if result is None else result.metric,
        grown_after={switch.switch: switch.epoch for switch in view.arm("main").switches},
        warnings=_warnings(folder.name, view),
    )


def _warnings(name: str, view: RunView) -> tuple[str, ...]:
    """The run's warnings, each once: they limit what its figures mean."""
    lines = dict.fromkeys(one_line(message, 600) for message in view.warnings)
    return tuple(f"{one_line(name, 60)}, warning: {line}" for line in lines)[:MAX_WARNINGS]


def gather(names: Sequence[str]) -> Gathered:
    """The runs and sweeps in `names`, each a name, a folder or `latest`.

    Raises:
        RunError: a name is neither a run nor a sweep, or it cannot be read.
    """
    runs: list[Run] = []
    sweeps: list[SweepView] = []
    for name in names:
        try:
            runs.append(gather_run(find_run(name)))
            continue
        except NoSuchFolderError as error:
            no_run_error = error
        try:
            sweep = find_sweep(name)
        except NoSuchFolderError:
            if name == LATEST:
                raise no_run_error from None
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
