"""What a report is about, read from the folders of runs and sweeps; no sentence of the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from nexus_engine.errors import RunError, one_line
from nexus_engine.events import Evaluated, Event, RunFailed, RunFinished, Step, SwitchRecord, Warned
from nexus_engine.runs.folder import LATEST, RunFolder, find_run, summarise
from nexus_engine.sweeps.folder import find_sweep
from nexus_engine.sweeps.view import SweepView, read_sweep
from nexus_engine.system.ownership import may_not_read
from nexus_engine.system.user_paths import user_path

__all__ = ["Arm", "Gathered", "Point", "Run", "gather", "gather_run"]

MOST_LOSSES = 400
"""Step losses that a curve shows; more are thinned evenly, never averaged."""


MOST_WARNINGS = 20
"""Of a run; a damaged log may hold any number."""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """An evaluation on dev; epoch 0 is the base model."""

    epoch: int
    spearman: float
    guard_spearman: float


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """The run proper ("main") or a control; `losses` are (step, loss)."""

    name: str
    points: tuple[Point, ...]
    losses: tuple[tuple[int, float], ...]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run. `result` is None unless it finished; `switches` are those settled so far.

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
    warnings: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """A short printable name."""
        return one_line(self.name, 60)


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one report holds; a sweep's finished runs are among `runs`."""

    runs: tuple[Run, ...]
    sweeps: tuple[SweepView, ...]


def _arms(events: Sequence[Event]) -> tuple[Arm, ...]:
    points: dict[str, dict[int, Point]] = {}
    losses: dict[str, dict[int, float]] = {}
    for event in events:
        match event:
            case Evaluated(split="dev"):
                # A resumed run makes an epoch again that a crash cut off: the new one stands.
                points.setdefault(event.arm, {})[event.epoch] = Point(
                    epoch=event.epoch,
                    spearman=event.spearman,
                    guard_spearman=event.guard_spearman,
                )
            case Step():
                losses.setdefault(event.arm, {})[event.step] = event.loss
    found = []
    for name, by_epoch in points.items():
        steps = sorted(losses.get(name, {}).items())
        stride = max(1, -(-len(steps) // MOST_LOSSES))
        ordered = tuple(point for _, point in sorted(by_epoch.items()))
        found.append(Arm(name=name, points=ordered, losses=tuple(steps[::stride])))
    return tuple(found)


def gather_run(folder: RunFolder) -> Run:
    """The run in `folder`.

    Raises:
        RunError: there is no readable run there.
    """
    summary, facts, events = summarise(folder.path), folder.read_run(), folder.events()
    result = next((e for e in reversed(events) if isinstance(e, RunFinished)), None)
    failed = events[-1] if events and isinstance(events[-1], RunFailed) else None
    settings = facts.get("settings")
    switches: tuple[SwitchRecord, ...] = () if result is None else result.switch_records
    return Run(
        name=folder.name,
        begun_unix_s=events[0].time_unix_s if events else 0.0,
        state=summary.state,
        message="" if failed is None else one_line(failed.message, 300),
        settings=settings if isinstance(settings, dict) else {},
        facts=facts,
        arms=_arms(events),
        switches=switches,
        result=result,
        warnings=_warnings(folder.name, events),
    )


def _warnings(name: str, events: Sequence[Event]) -> tuple[str, ...]:
    """What the run warned of or asked, each once: its figures may not mean what they seem to."""
    said = dict.fromkeys(one_line(e.message, 600) for e in events if isinstance(e, Warned))
    return tuple(f"{one_line(name, 60)}, warning: {line}" for line in said)[:MOST_WARNINGS]


def gather(asked: Sequence[str]) -> Gathered:
    """The runs and sweeps that `asked` names: a run's or sweep's name or folder, or `latest`.

    Raises:
        RunError: one of them is neither.
    """
    runs: list[Run] = []
    sweeps: list[SweepView] = []
    for name in asked:
        try:
            run = find_run(name)
        except RunError as missing:
            reason = missing
        else:
            runs.append(gather_run(run))
            continue
        try:
            sweep = find_sweep(name)
        except RunError:
            if name == LATEST or may_not_read(user_path(name) / "run.json"):
                raise reason from None
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
