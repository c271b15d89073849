"""One epoch of one arm, as events: steps, an evaluation, then settle, grow or end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import msgspec
import torch

from nexus_engine.errors import DataError, DivergedError
from nexus_engine.events import (
    DendritesAdded,
    EpochStarted,
    Evaluated,
    Event,
    Log,
    PauseChanged,
    Step,
    SwitchRecord,
    SwitchSettled,
)
from nexus_engine.growth import Request, decide
from nexus_engine.model.tokens import Rows
from nexus_engine.scoring.correlation import spearman
from nexus_engine.scoring.cut_texts import refuse_indistinct
from nexus_engine.scoring.evaluation import Baseline, Measured, correlate
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.arm.correlation_step import correlation_step
from nexus_engine.training.arm.snapshots import BestWeights
from nexus_engine.training.hardware import release_memory, rss_mb
from nexus_engine.training.steering import Steering
from nexus_engine.training.steps.step import StepResult

__all__ = ["ArmLoop"]

STEP_EVENT_SECONDS = 0.1
"""Steps that follow each other faster than this share one event: ten a second are enough to see."""


def _is_finite(made: StepResult) -> bool:
    return math.isfinite(float(made.loss)) and math.isfinite(float(made.grad_norm))


class ArmLoop:
    """Runs an arm epoch by epoch. `keep_best` is told of every new best and of every return to one.

    `records` holds the settled switches of the arm.
    """

    def __init__(
        self,
        arm: Arm,
        baseline: Baseline,
        steering: Steering,
        keep_best: Callable[[Arm], None],
        records: list[SwitchRecord] | None = None,
    ) -> None:
        self.arm = arm
        self.records = records or []
        self._baseline = baseline
        self._steering = steering
        self._keep_best = keep_best
        self._started = time.perf_counter()

    def _event(self, kind: type[Any], **fields: Any) -> Any:
        return kind(time_unix_s=time.time(), arm=self.arm.spec.name, **fields)

    def epoch(self) -> Iterator[Event]:
        """The rest of the present epoch, with its evaluation and what is decided on it.

        Raises:
            StopAsked: a stop was asked; the arm's state can be saved and resumed as it is.
            DivergedError: a loss, gradient, weight or metric is not finite.
            DataError: dev Spearman is undefined by the pairs themselves.
        """
        request = yield from self._steps()
        measured, kept = yield from self._evaluate()
        yield from self._decide(measured, kept, request)

    # Steps

    def _steps(self) -> Generator[Event, None, Request | None]:
        """The steps that are left; returns a user's request that cut the epoch short."""
        arm, progress = self.arm, self.arm.progress
        batches = arm.batches(progress.epoch)
        if progress.epoch:
            yield self._event(
                EpochStarted,
                epoch=progress.epoch,
                epochs=arm.spec.plan.epochs,
                steps=len(batches),
                sets=arm.growth.kept + int(arm.growth.before is not None),
                params_trained=arm.params_trained(),
            )
        if progress.rule_steps_left:
            yield from self._correlate(batches)
        unreported: list[torch.Tensor] = []
        reported = time.perf_counter()
        # A GPU works on while the step before is looked at; a CPU has nothing to wait for.
        lag = arm.hardware.device.type != "cpu"
        seen: StepResult | None = None
        for picked in batches[progress.step_in_epoch :]:
            yield from self._pause()
            if self._steering.requested:
                break
            begun = time.perf_counter()
            made = arm.make_step(picked)
            unreported.append(made.loss)
            looked_at, seen = (seen, made) if lag else (made, made)
            bad = looked_at is not None and not _is_finite(looked_at)
            now = time.perf_counter()
            progress.step_seconds += now - begun
            last = progress.step_in_epoch == len(batches)
            if bad or last or now - reported >= STEP_EVENT_SECONDS:
                reported = now
                loss, norm = float(torch.stack(unreported).mean()), float(made.grad_norm)
                unreported.clear()
                # Reading a loss waits for the device: that wait is a part of the steps' time.
                progress.step_seconds += time.perf_counter() - now
                yield self._step_event(loss, norm, made.lr, len(batches))
                self._check_finite(loss, norm)
        return self._steering.take_request()

    def _pause(self) -> Iterator[Event]:
        """Meet what was asked; a pause is told, and so is its end."""
        self._steering.check()
        if self._steering.paused:
            yield self._event(PauseChanged, paused=True)
            self._steering.wait_while_paused()
            yield self._event(PauseChanged, paused=False)

    def _correlate(self, batches: list[Rows]) -> Iterator[Event]:
        """The steps of the rule `correlation` that are left, on the epoch's batches in turn."""
        arm, progress, asked = self.arm, self.arm.progress, self.arm.spec.settings.rule_steps
        found: list[float] = []
        while progress.rule_steps_left and not self._steering.requested:
            yield from self._pause()
            begun = time.perf_counter()
            done = asked - progress.rule_steps_left
            found.append(correlation_step(arm, batches[done % len(batches)]))
            progress.step_seconds += time.perf_counter() - begun
            if not math.isfinite(found[-1]):
                raise DivergedError(
                    f"covariance is not finite in correlation step {done + 1} of epoch "
                    f"{progress.epoch}; the best weights are kept; lower --dendrite-lr"
                )
        if found:
            edge = max(1, len(found) // 10)
            first, last = sum(found[:edge]) / edge, sum(found[-edge:]) / edge
            yield self._event(
                Log,
                message=f"switch {arm.growth.switches}: {len(found)} correlation steps, "
                f"summed covariance with the remaining error {first:.3g} -> {last:.3g}",
            )

    def _step_event(self, loss: float, norm: float, lr: float, steps: int) -> Step:
        progress = self.arm.progress
        event: Step = self._event(
            Step,
            epoch=progress.epoch,
            step=progress.step,
            steps_total=self.arm.spec.plan.epochs * steps,
            loss=loss,
            lr=lr,
            grad_norm=norm,
            pairs_per_second=progress.pairs / max(progress.step_seconds, 1e-9),
            elapsed_seconds=time.perf_counter() - self._started,
            remaining_seconds=self._remaining(steps),
            rss_mb=rss_mb(),
        )
        return event

    def _check_finite(self, loss: float, norm: float) -> None:
        if math.isfinite(loss) and math.isfinite(norm):
            return
        what = "loss" if not math.isfinite(loss) else "gradient"
        progress = self.arm.progress
        raise DivergedError(
            f"{what} is not finite at step {progress.step} (epoch {progress.epoch}); the best "
            "weights are kept; lower --lr, or train with --precision fp32"
        )

    def _remaining(self, steps: int) -> float:
        """Seconds that are left of this arm, from its pace so far."""
        progress = self.arm.progress
        epochs_left = self.arm.spec.plan.epochs - progress.epoch
        steps_left = epochs_left * steps + steps - progress.step_in_epoch
        per_step = progress.step_seconds / max(progress.step, 1)
        per_evaluation = progress.eval_seconds / max(progress.epoch - 1, 1)
        return steps_left * per_step + (epochs_left + 1) * per_evaluation

    # Evaluation

    def _evaluate(self) -> Generator[Event, None, tuple[Measured, BestWeights]]:
        arm, corpus, progress = self.arm, self.arm.corpus, self.arm.progress
        check = self._steering.check
        begun = time.perf_counter()
        if progress.epoch == 0:
            # Nothing is trained yet: this is the base model, already measured.
            measured, cosines = self._baseline.measured, self._baseline.dev.cosine
        else:
            release_memory()
            arm.check_finite()
            dev = correlate(arm.cosines(corpus.dev, check), corpus.dev.scores)
            guard = arm.cosines(corpus.guard, check)
            cosines = dev.cosine
            measured = Measured(
                epoch=progress.epoch,
                spearman=dev.spearman,
                pearson=dev.pearson,
                guard_spearman=spearman(guard, self._baseline.guard),
                guard_scored_spearman=spearman(guard, corpus.guard.scores),
            )
        release_memory()
        seconds = time.perf_counter() - begun
        progress.eval_seconds += seconds
        best = self.arm.best.measured
        is_best = measured.spearman > best.spearman
        shown = measured if is_best else best
        yield self._event(
            Evaluated,
            epoch=progress.epoch,
            split="dev",
            pairs=len(corpus.dev),
            spearman=measured.spearman,
            pearson=measured.pearson,
            guard_spearman=measured.guard_spearman,
            guard_scored_spearman=measured.guard_scored_spearman,
            is_best=is_best,
            best_spearman=shown.spearman,
            best_epoch=shown.epoch,
            eval_seconds=seconds,
        )
        if not math.isfinite(measured.spearman):
            refuse_indistinct(corpus.store, corpus.dev, "dev")
            if progress.epoch == 0:
                raise DataError(
                    "dev: the base model finds all pairs equally alike, so Spearman is undefined; "
                    "give more pairs, or others"
                )
            raise DivergedError(
                f"dev Spearman is not a number after epoch {progress.epoch}: all similarities are "
                "equal; the best weights are kept; lower --lr"
            )
        return measured, BestWeights(arm.snapshot(), measured, cosines)

    # Decisions

    def _decide(
        self, measured: Measured, candidate: BestWeights, request: Request | None
    ) -> Iterator[Event]:
        arm = self.arm
        old = arm.growth
        arm.growth, decision = decide(
            arm.spec.plan,
            old,
            epoch=arm.progress.epoch,
            spearman=measured.spearman,
            request=request,
        )
        if decision.improved:
            arm.best = candidate
            self._keep_best(arm)
        # The epoch is over before a new phase begins: its schedule counts what is left.
        arm.progress.finished = decision.finish
        arm.progress.epoch += 1
        arm.progress.step_in_epoch = 0
        if decision.settle is not None and old.before is not None:
            after = max(old.phase_best, measured.spearman)
            yield from self._settle(old.switches, decision.settle == "keep", old.before, after)
        if decision.grow:
            yield from self._switch()
            # A control that grows no more has nothing left where its only set was rolled back.
            arm.progress.finished |= not arm.trained()

    def _grows(self, switch: int) -> bool:
        """Whether this switch grows a set; in a control it may only restart."""
        limit = self.arm.spec.grow_sets
        return limit is None or switch <= limit

    def _settle(self, switch: int, kept: bool, before: float, after: float) -> Iterator[Event]:
        arm = self.arm
        if not kept:
            arm.restore(arm.before_switch.weights)
            arm.best = arm.before_switch
            arm.start_phase()
            self._keep_best(arm)
        if not self._grows(switch):
            return
        record = SwitchRecord(
            switch=switch,
            epoch=arm.progress.epoch - 1,
            kept=kept,
            spearman_before=before,
            spearman_after=after,
            params_added=arm.progress.params_on_trial,
        )
        self.records.append(record)
        yield self._event(SwitchSettled, **msgspec.structs.asdict(record))

    def _switch(self) -> Iterator[Event]:
        """The best weights are back, a set has grown, optimizer and schedule are new."""
        arm, switch = self.arm, self.arm.growth.switches
        arm.restore(arm.best.weights)
        arm.before_switch = arm.best
        arm.progress.switch_epochs.append(arm.progress.epoch - 1)
        grows = self._grows(switch)
        arm.progress.params_on_trial = arm.grow() if grows else 0
        arm.start_phase()
        if not grows:
            yield self._event(Log, message="restarted from the best weights, nothing grown")
            return
        yield self._event(
            DendritesAdded,
            switch=switch,
            epoch=arm.progress.epoch - 1,
            sites=len(arm.spec.sites),
            units=arm.units(),
            params_added=arm.progress.params_on_trial,
            params_added_total=arm.dendrite_params(),
            params_trained=arm.params_trained(),
            spearman_before=arm.growth.best,
        )
