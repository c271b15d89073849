"""The visible state of a run, as a pure fold over its events.

`reduce(view, event)` is the one place that turns events into state for display. The headless
command, the live screen, an attached screen and a replay all fold the same events. The state holds
no clock and no widget. Nothing is smoothed, and numbers that are not finite stay visible.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, assert_never

from nexus_engine.events import (
    CheckpointSaved,
    DendritesAdded,
    EpochStarted,
    Evaluated,
    Evaluating,
    Event,
    GuardChecked,
    Log,
    PauseChanged,
    RunFailed,
    RunFinished,
    RunStarted,
    RunStopped,
    Step,
    SwitchSettled,
    Warned,
)
from nexus_engine.runs.series import EMPTY, Series
from nexus_engine.scores import Metric

__all__ = ["ArmView", "EpochPoint", "RunView", "SwitchView", "reduce"]

State = Literal["preparing", "measuring", "training", "evaluating", "finished", "failed", "stopped"]
"""`measuring`: the base model is scored, before the first step."""

MAX_NOTES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochPoint:
    """One evaluation on dev; epoch 0 is the base model."""

    epoch: int
    score: float
    """By the metric that decides in the run."""
    pearson: float | None
    guard_spearman: float
    guard_scored_spearman: float
    is_best: bool
    mrr_at_10: float | None = None
    recall_at_1: float | None = None
    recall_at_10: float | None = None
    recall_at_100: float | None = None
    keep_weight: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchView:
    """One set of dendrites. `units` are those that it added.

    `before` and `after` are scores on dev; `after` is None while the set is on trial.
    """

    switch: int
    epoch: int
    state: Literal["trial", "kept", "rolled back"]
    units: int
    units_total: int
    params_added: int
    before: float
    after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmView:
    """One arm: the run proper ("main") or a control ("control:NAME")."""

    name: str
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps_total: int = 0
    epoch_steps: int = 0
    last_step: int = 0
    """The last step of the epoch under way; 0 before the first."""
    loss: float | None = None
    lr: float | None = None
    grad_norm: float | None = None
    pairs_per_second: float | None = None
    remaining_seconds: float | None = None
    sets: int = 0
    params_trained: int = 0
    base_score: float | None = None
    base_test_score: float | None = None
    test_score: float | None = None
    best_score: float | None = None
    keep_weight: float = 0.0
    evaluated: tuple[int, int] | None = None
    """While an evaluation is under way: how many texts are embedded, and of how many."""
    best_epoch: int = 0
    points: tuple[EpochPoint, ...] = ()
    switches: tuple[SwitchView, ...] = ()
    losses: Series = EMPTY
    rates: Series = EMPTY
    grad_norms: Series = EMPTY
    paces: Series = EMPTY
    """Loss, learning rate, gradient norm and pairs/s over the steps of this arm."""
    keep_weights: Series = EMPTY
    """The weight of the rehearsal over the steps; no points if the run rehearses nothing."""

    @property
    def label(self) -> str:
        """The name of the arm on the screen."""
        return "run" if self.name == "main" else self.name.replace(":", " ", 1)

    @property
    def fraction(self) -> float:
        """The share of the arm's planned steps that is done, 0..1."""
        return min(1.0, self.step / self.steps_total) if self.steps_total else 0.0

    @property
    def switches_tried(self) -> int:
        """Number of sets of dendrites that were grown."""
        return self.switches[-1].switch if self.switches else 0

    @property
    def switches_kept(self) -> int:
        """Number of sets that were kept."""
        return sum(switch.state == "kept" for switch in self.switches)

    @property
    def params_added(self) -> int | None:
        """Parameters of all present dendrites, a set on trial included; None before the first."""
        if not self.switches:
            return None
        present = (switch for switch in self.switches if switch.state != "rolled back")
        return sum(switch.params_added for switch in present)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """The visible state of a run. `arms` are in the order in which they began."""

    state: State = "preparing"
    started: RunStarted | None = None
    current: str = "main"
    arms: tuple[ArmView, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    checkpoint: CheckpointSaved | None = None
    rss_mb: float | None = None
    memory: Series = EMPTY
    """Resident memory in MB over time (Unix seconds)."""
    elapsed_seconds: float | None = None
    paused: bool = False
    ended: RunFinished | RunFailed | RunStopped | None = None

    @property
    def metric(self) -> Metric:
        """The metric that decides in the run; Spearman until it is known."""
        return "spearman" if self.started is None else self.started.metric

    def arm(self, name: str | None = None) -> ArmView:
        """The arm `name`, or the current one if None; an empty arm if it has not begun."""
        wanted = self.current if name is None else name
        return next((arm for arm in self.arms if arm.name == wanted), ArmView(name=wanted))


def reduce(view: RunView, event: Event) -> RunView:
    """The view after `event`."""
    match event:
        case RunStarted():
            # A run that is not resumed starts over: arms of an earlier start no longer count.
            arms = tuple(replace(arm, evaluated=None) for arm in view.arms if event.resumed)
            return replace(
                view, state="measuring", started=event, arms=arms, ended=None, paused=False
            )
        case EpochStarted():
            arm = replace(
                view.arm(event.arm),
                epoch=event.epoch,
                epochs=event.epochs,
                epoch_steps=event.steps,
                last_step=event.last_step or event.epoch * event.steps,
                steps_total=event.steps_total or event.epochs * event.steps,
                sets=event.sets,
                params_trained=event.params_trained,
            )
            return _with_arm(replace(view, state="training"), arm)
        case Step():
            return _after_step(view, event)
        case GuardChecked():
            return _with_arm(view, _after_guard_check(view.arm(event.arm), event))
        case Evaluating():
            return _evaluating(view, event)
        case Evaluated():
            return _with_arm(view, replace(_after_evaluation(view, event), evaluated=None))
        case DendritesAdded():
            return _with_arm(view, _after_growth(view.arm(event.arm), event))
        case SwitchSettled():
            return _with_arm(view, _after_settling(view.arm(event.arm), event))
        case CheckpointSaved():
            return replace(view, checkpoint=event)
        case PauseChanged():
            return replace(view, paused=event.paused)
        case Log():
            return replace(view, notes=_with_message(view.notes, event.message))
        case Warned():
            return replace(view, warnings=_with_message(view.warnings, event.message))
        case RunFinished():
            return replace(view, state="finished", current="main", ended=event, paused=False)
        case RunFailed():
            return replace(view, state="failed", ended=event, paused=False)
        case RunStopped():
            return replace(view, state="stopped", ended=event, paused=False)
        case _:
            assert_never(event)


def _with_arm(view: RunView, arm: ArmView) -> RunView:
    """The view with `arm` replaced or added, as the current arm."""
    exists = any(old.name == arm.name for old in view.arms)
    arms = tuple(arm if old.name == arm.name else old for old in view.arms)
    return replace(view, arms=arms if exists else (*arms, arm), current=arm.name)


def _evaluating(view: RunView, event: Evaluating) -> RunView:
    arm = replace(view.arm(event.arm), evaluated=(event.done, event.total))
    measures_base = view.state == "measuring"
    return _with_arm(replace(view, state="measuring" if measures_base else "evaluating"), arm)


def _after_guard_check(arm: ArmView, event: GuardChecked) -> ArmView:
    weights = arm.keep_weights.add(event.step, event.keep_weight)
    return replace(arm, keep_weight=event.keep_weight, keep_weights=weights)


def _after_step(view: RunView, event: Step) -> RunView:
    arm = view.arm(event.arm)
    arm = replace(
        arm,
        epoch=event.epoch,
        step=event.step,
        steps_total=event.steps_total,
        loss=event.loss,
        lr=event.lr,
        grad_norm=event.grad_norm,
        pairs_per_second=event.pairs_per_second,
        remaining_seconds=event.remaining_seconds,
        losses=arm.losses.add(event.step, event.loss),
        rates=arm.rates.add(event.step, event.lr),
        grad_norms=arm.grad_norms.add(event.step, event.grad_norm),
        paces=arm.paces.add(event.step, event.pairs_per_second),
    )
    # An evaluation follows the last step of an epoch, and its event comes only when it is over.
    is_last = 0 < arm.last_step <= event.step
    return _with_arm(
        replace(
            view,
            state="evaluating" if is_last else "training",
            rss_mb=event.rss_mb,
            memory=view.memory.add(event.time_unix_s, event.rss_mb),
            elapsed_seconds=event.elapsed_seconds,
        ),
        arm,
    )


def _after_evaluation(view: RunView, event: Evaluated) -> ArmView:
    arm = view.arm(event.arm)
    if event.split == "test":
        # The base model is scored on test last, but first in a resumed run. If the best weights are
        # those of epoch 0, both scores are equal.
        is_of_base = view.state == "measuring" or arm.test_score is not None
        if event.epoch or not is_of_base:
            return replace(arm, test_score=event.score)
        if arm.points:
            return replace(arm, base_test_score=event.score)
        return replace(
            arm,
            base_test_score=event.score,
            base_score=event.best_score,
            best_score=event.best_score,
            best_epoch=event.best_epoch,
        )
    point = EpochPoint(
        epoch=event.epoch,
        score=event.score,
        pearson=event.pearson,
        guard_spearman=event.guard_spearman,
        guard_scored_spearman=event.guard_scored_spearman,
        is_best=event.is_best,
        mrr_at_10=event.mrr_at_10,
        recall_at_1=event.recall_at_1,
        recall_at_10=event.recall_at_10,
        recall_at_100=event.recall_at_100,
        keep_weight=event.keep_weight,
    )
    # A resumed run repeats an epoch that a crash cut off; the new evaluation replaces the old one.
    points = (*(old for old in arm.points if old.epoch < event.epoch), point)
    base = event.score if event.epoch == 0 else arm.base_score
    weights = arm.keep_weights
    if weights or event.keep_weight:
        weights = weights.add(arm.step, event.keep_weight)
    return replace(
        arm,
        epoch=event.epoch,
        keep_weight=event.keep_weight,
        keep_weights=weights,
        points=points,
        base_score=base,
        best_score=event.best_score,
        best_epoch=event.best_epoch,
    )


def _after_growth(arm: ArmView, event: DendritesAdded) -> ArmView:
    earlier = tuple(old for old in arm.switches if old.switch < event.switch)
    units_before = max((old.units_total for old in earlier if old.state == "kept"), default=0)
    switch = SwitchView(
        switch=event.switch,
        epoch=event.epoch,
        state="trial",
        units=event.units - units_before,
        units_total=event.units,
        params_added=event.params_added,
        before=event.before,
    )
    return replace(arm, switches=(*earlier, switch), params_trained=event.params_trained)


def _after_settling(arm: ArmView, event: SwitchSettled) -> ArmView:
    switches = tuple(
        replace(
            switch,
            state="kept" if event.kept else "rolled back",
            before=event.before,
            after=event.after,
        )
        if switch.switch == event.switch
        else switch
        for switch in arm.switches
    )
    arm = replace(arm, switches=switches)
    return arm if event.kept else _rolled_back(arm, event)


def _rolled_back(arm: ArmView, event: SwitchSettled) -> ArmView:
    """The arm with the best from before the switch, without that of the removed set."""
    epochs = (switch.epoch for switch in arm.switches if switch.switch == event.switch)
    switch_epoch = max(epochs, default=0)
    points = tuple(
        replace(point, is_best=False) if point.epoch > switch_epoch else point
        for point in arm.points
    )
    best_epoch = max((point.epoch for point in points if point.is_best), default=0)
    return replace(arm, points=points, best_score=event.before, best_epoch=best_epoch)


def _with_message(messages: tuple[str, ...], message: str) -> tuple[str, ...]:
    """`messages` with `message` added once, without the oldest if there are too many."""
    if message in messages:
        return messages
    return (*messages, message)[-MAX_NOTES:]
