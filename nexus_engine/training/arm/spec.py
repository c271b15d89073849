"""The plan and the progress of an arm: plain values, as a checkpoint stores them."""

from __future__ import annotations

import msgspec

from nexus_engine.config import Settings
from nexus_engine.growth import GrowthPlan

__all__ = ["ArmProgress", "ArmSpec", "plan_main"]


class ArmSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What one arm trains.

    `grow_sets` bounds how many switches grow a set: a few or none in a control; None, no bound, in
    the main arm, whose user may ask for more. `epochs` is the length of the learning-rate schedule;
    `plan.epochs` may be shorter.
    """

    name: str
    description: str
    settings: Settings
    plan: GrowthPlan
    sites: tuple[str, ...]
    grow_sets: int | None
    epochs: int


class ArmProgress(msgspec.Struct, kw_only=True):
    """The counters of an arm: plain numbers, which a checkpoint stores as JSON.

    `keep_weight` is the weight of the rehearsal now, `tokens_since_check` the tokens of examples
    that were trained since the guard last set it, `guard_checks` how often it has.
    """

    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    phase_step: int = 0
    phase_steps: int = 1
    step_seconds: float = 0.0
    eval_seconds: float = 0.0
    pairs: int = 0
    params_on_trial: int = 0
    rule_steps_left: int = 0
    switch_epochs: list[int] = msgspec.field(default_factory=list)
    finished: bool = False
    keep_weight: float = 0.0
    tokens_since_check: int = 0
    guard_checks: int = 0


def plan_main(settings: Settings, sites: tuple[str, ...], switches: int) -> ArmSpec:
    """The main arm's specification."""
    switches = switches if settings.dendrites else 0
    fixed = settings.switch_epochs
    # Runs of an earlier version had no warm-up after their first set; they resume without one.
    without_warmup = settings.tune == "dendrites" and not settings.warmup_after_first_set
    plan = GrowthPlan(
        epochs=settings.epochs,
        switches=switches,
        warmup_epochs=0 if without_warmup else settings.warmup_epochs,
        switch_epochs=None if fixed is None else fixed[:switches],
        patience=settings.patience,
        min_gain=settings.min_gain,
        trains_alone=settings.tune != "dendrites",
    )
    return ArmSpec(
        name="main",
        description="the run",
        settings=settings,
        plan=plan,
        sites=sites,
        grow_sets=None,
        epochs=settings.epochs,
    )
