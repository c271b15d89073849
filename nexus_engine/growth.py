"""When to grow a set of dendrites, and whether to keep it: a pure policy.

`decide(plan, state, spearman)` is called after each evaluation and answers what happens next. It
holds no tensor and no clock, so it is tested as a table and its state goes into a checkpoint as it
is. Time runs in epochs, counted from 1; epoch 0 is the evaluation before any training.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Decision", "GrowthPlan", "GrowthState", "Request", "decide"]

Request = Literal["grow", "roll_back"]
"""What a user may ask for while a run is live."""


class GrowthPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The rule.

    A phase lasts from one switch to the next. With `switch_epochs` a switch follows each epoch
    named there (0: before any training). Otherwise one follows whenever dev Spearman has not risen
    for `patience` epochs, not before epoch `warmup_epochs`; a run whose warm-up is 0 starts with a
    switch. At most `switches` are made in all. A set is kept when the best dev Spearman of its
    phase is above the best before it by more than `min_gain`. Where no switch is left, a stall ends
    the run, but never before an epoch was trained.

    Without `trains_alone` nothing but dendrites is trained: the first set grows at the start,
    whatever the warm-up; where the only set is rolled back, the next one that the plan has room for
    grows at once, and without one the run ends.
    """

    epochs: int
    switches: int
    warmup_epochs: int = 0
    switch_epochs: tuple[int, ...] | None = None
    patience: int = 1
    min_gain: float = 0.0
    trains_alone: bool = True


class GrowthState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stands. `before` is None while no set is on trial."""

    switches: int = 0
    kept: int = 0
    before: float | None = None
    best: float = float("-inf")
    phase_best: float = float("-inf")
    phase_best_epoch: int = 0


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What to do now, in this order: settle the set on trial, grow a new one, or end the run."""

    settle: Literal["keep", "roll_back"] | None = None
    grow: bool = False
    finish: bool = False
    improved: bool = False


def _phase_is_over(plan: GrowthPlan, state: GrowthState, epoch: int) -> bool:
    if plan.switch_epochs is not None:
        return epoch in plan.switch_epochs
    if epoch == 0:
        return plan.warmup_epochs == 0 or not plan.trains_alone
    return epoch >= plan.warmup_epochs and epoch - state.phase_best_epoch >= plan.patience


def decide(
    plan: GrowthPlan,
    state: GrowthState,
    *,
    epoch: int,
    spearman: float,
    request: Request | None = None,
) -> tuple[GrowthState, Decision]:
    """The next state and what to do, after an evaluation at the end of `epoch` gave `spearman`.

    `improved` says that `spearman` is the best so far: the weights are worth keeping as the run's
    best (a later roll-back never takes that back, since only a set that improved is kept).
    A NaN never improves anything. Before training there is nothing to roll back: the plan holds.
    """
    if epoch == 0 and request == "roll_back":
        request = None
    improved = spearman > state.best
    in_phase = spearman > state.phase_best
    state = msgspec.structs.replace(
        state,
        best=spearman if improved else state.best,
        phase_best=spearman if in_phase else state.phase_best,
        phase_best_epoch=epoch if in_phase else state.phase_best_epoch,
    )
    last = epoch >= plan.epochs
    over = last or _phase_is_over(plan, state, epoch) or request is not None
    settle: Literal["keep", "roll_back"] | None = None
    if over and state.before is not None:
        keep = state.phase_best > state.before + plan.min_gain and request != "roll_back"
        settle = "keep" if keep else "roll_back"
        state = msgspec.structs.replace(
            state,
            before=None,
            kept=state.kept + int(keep),
            best=state.best if keep else state.before,
        )
    room = state.switches < plan.switches
    bare = settle == "roll_back" and state.kept == 0 and not plan.trains_alone
    wanted = request == "grow" or (room and (request is None or bare))
    grow = over and not last and wanted
    if grow:
        state = msgspec.structs.replace(
            state,
            switches=state.switches + 1,
            before=state.best,
            phase_best=float("-inf"),
            phase_best_epoch=epoch,
        )
    elif settle == "roll_back":
        state = msgspec.structs.replace(state, phase_best=state.best, phase_best_epoch=epoch)
    stalled_for_good = over and not grow and plan.switch_epochs is None and request is None
    stalled_for_good &= epoch > 0
    finish = last or stalled_for_good or (bare and not grow)
    return state, Decision(settle=settle, grow=grow, finish=finish, improved=improved)
