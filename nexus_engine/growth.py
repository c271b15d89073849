"""When to grow a set of dendrites, and whether to keep it: a pure policy.

`decide` is called after each evaluation and returns what happens next. It uses no tensor and no
clock, so tests are tables and the state goes into a checkpoint as it is. Time is counted in epochs
from 1; epoch 0 is the evaluation before any training.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["GrowthPlan", "GrowthState", "Request", "decide"]

ROUNDING = 1e-12
"""Scores of one ranking differ by less, from rounding alone."""
Request = Literal["grow", "roll_back"]
"""What the user may request while a run is live."""


class GrowthPlan(msgspec.Struct, frozen=True, kw_only=True):
    """When a run switches, and when it keeps a set.

    A phase lasts from one switch to the next. With `switch_epochs`, a switch follows each epoch
    listed there; 0 means before any training. Without, a switch follows each stall: `patience`
    epochs in which the dev score has not risen, but not before epoch `warmup_epochs`; with a
    warm-up of 0 the run starts with a switch. A run makes at most `switches` switches. A set is
    kept if the best dev score of its phase exceeds the best before it by more than `min_gain`. When
    no switch is left, a stall ends the run, but never before one epoch is trained.

    If `trains_alone` is False, nothing but dendrites is trained. Then the first set grows at the
    start, whatever the warm-up. When the only set is rolled back, the next one grows at once, or
    the run ends if the plan has no switch left.
    """

    epochs: int
    switches: int
    warmup_epochs: int = 0
    switch_epochs: tuple[int, ...] | None = None
    patience: int = 1
    min_gain: float = 0.0
    trains_alone: bool = True


class GrowthState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stands. `before` is the best dev score before the set on trial; else None."""

    switches: int = 0
    kept: int = 0
    before: float | None = None
    best: float = float("-inf")
    phase_best: float = float("-inf")
    phase_best_epoch: int = 0


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What to do next, in this order: settle the set on trial, grow a new set, end the run."""

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
    score: float,
    request: Request | None = None,
) -> tuple[GrowthState, Decision]:
    """The next state and decision after the evaluation at the end of `epoch` gave `score`.

    `improved` means that `score` is the best so far and the weights become the run's best. NaN
    never improves. A request to roll back before training is ignored, since there is no set yet.
    """
    if epoch == 0 and request == "roll_back":
        request = None
    improved = score > state.best
    improved_phase = score > state.phase_best
    state = msgspec.structs.replace(
        state,
        best=score if improved else state.best,
        phase_best=score if improved_phase else state.phase_best,
        phase_best_epoch=epoch if improved_phase else state.phase_best_epoch,
    )
    is_last_epoch = epoch >= plan.epochs
    phase_over = is_last_epoch or _phase_is_over(plan, state, epoch) or request is not None
    settle: Literal["keep", "roll_back"] | None = None
    if phase_over and state.before is not None:
        gain = state.phase_best - state.before
        keep = gain > max(plan.min_gain, ROUNDING) and request != "roll_back"
        settle = "keep" if keep else "roll_back"
        state = msgspec.structs.replace(
            state,
            before=None,
            kept=state.kept + int(keep),
            best=state.best if keep else state.before,
        )
    has_switch_left = state.switches < plan.switches
    left_without_sets = settle == "roll_back" and state.kept == 0 and not plan.trains_alone
    should_grow = request == "grow" or (has_switch_left and (request is None or left_without_sets))
    grow = phase_over and not is_last_epoch and should_grow
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
    ends_at_stall = phase_over and not grow and plan.switch_epochs is None and request is None
    ends_at_stall &= epoch > 0
    finish = is_last_epoch or ends_at_stall or (left_without_sets and not grow)
    return state, Decision(settle=settle, grow=grow, finish=finish, improved=improved)
