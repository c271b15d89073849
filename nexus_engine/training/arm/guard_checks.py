"""How the guard steers the rehearsal of an arm: its steering half is scored, the weight follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from nexus_engine.events import GuardChecked
from nexus_engine.scoring.corpus import PairRows
from nexus_engine.scoring.correlation import spearman
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.steps.keep_general import next_weight

__all__ = ["GuardChecks", "steering_half", "tokens_until_check"]

FIRST_TOKENS = 8_192
"""Trained tokens before the first check."""
TOKENS_PER_GUARD_CHECK = 32_768
"""Trained tokens between two checks in an epoch. A check embeds about 5,000 tokens, forward only,
which a step does for a third of its cost: about 5 % of the time of these steps."""


def steering_half(guard: PairRows) -> PairRows:
    """The guard pairs that steer: those of even number."""
    return PairRows(guard.first[::2], guard.second[::2], guard.scores[::2])


def tokens_until_check(checks: int) -> int:
    """Trained tokens from the last of `checks` checks to the next.

    They are few at first, since little data is soon learned, and `TOKENS_PER_GUARD_CHECK` from the
    third check on.
    """
    return min(TOKENS_PER_GUARD_CHECK, FIRST_TOKENS << min(checks, 8))


class GuardChecks:
    """Sets the weight of an arm's rehearsal where `--keep-general auto` asks for it.

    `base` is the base model's Spearman on the steering half; `check` is called often and may raise
    to stop. A check that was stopped has changed nothing, and is made again after a resume.
    """

    def __init__(self, arm: Arm, base: float, check: Callable[[], None]) -> None:
        self._arm = arm
        self._base = base
        self._check = check
        self._steers = arm.rehearsal is not None and arm.spec.settings.keep_general == "auto"

    def before_step(self) -> Iterator[GuardChecked]:
        """A check, if enough has been trained since the last one."""
        arm, progress = self._arm, self._arm.progress
        tokens = tokens_until_check(progress.guard_checks)
        if not self._steers or progress.tokens_since_check < tokens:
            return
        begun = time.perf_counter()
        half = steering_half(arm.corpus.guard)
        steering = spearman(arm.cosines(half, self._check), half.scores)
        event = self._follow(steering)
        progress.step_seconds += time.perf_counter() - begun
        yield event

    def after_evaluation(self, steering: float) -> Iterator[GuardChecked]:
        """Follow the Spearman of the steering half in an evaluation after training."""
        if self._steers:
            yield self._follow(steering)

    def _follow(self, steering: float) -> GuardChecked:
        arm, progress = self._arm, self._arm.progress
        arm.set_keep_weight(next_weight(progress.keep_weight, steering, self._base))
        progress.tokens_since_check = 0
        progress.guard_checks += 1
        return GuardChecked(
            time_unix_s=time.time(),
            arm=arm.spec.name,
            epoch=progress.epoch,
            step=progress.step,
            steering_spearman=steering,
            base_steering_spearman=self._base,
            keep_weight=progress.keep_weight,
        )
