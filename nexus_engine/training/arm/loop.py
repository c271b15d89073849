"""One epoch of one arm as events: steps, an evaluation, then a decision to settle, grow or end."""

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
    SwitchSettled,
)
from nexus_engine.growth import Request, decide
from nexus_engine.model.tokens import Rows
from nexus_engine.scores import SwitchRecord
from nexus_engine.scoring.corpus import Corpus
from nexus_engine.scoring.cut_texts import refuse_indistinct
from nexus_engine.scoring.evaluation import Baseline, Measured, measured_at, score_guard
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.arm.correlation_step import correlation_step
from nexus_engine.training.arm.guard_checks import GuardChecks
from nexus_engine.training.arm.judging import judged
from nexus_engine.training.arm.snapshots import BestWeights
from nexus_engine.training.hardware import release_memory, rss_mb
from nexus_engine.training.steering import Steering
from nexus_engine.training.steps.step import StepResult

__all__ = ["ArmLoop"]

STEP_EVENT_SECONDS = 0.1
"""Least time between two step events: ten a second are enough for a display. Steps in between
share the next event."""


def _is_finite(result: StepResult) -> bool:
    return math.isfinite(float(result.loss)) and math.isfinite(float(result.grad_norm))


class ArmLoop:
    """Runs an arm epoch by epoch. `keep_best` is called at each new best and at each roll-back.

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
        self._guard_checks = GuardChecks(arm, baseline.guard_scores.steering, steering.check)
        self._started = time.perf_counter()

    def _event(self, kind: type[Any], **fields: Any) -> Any:
        return kind(time_unix_s=time.time(), arm=self.arm.spec.name, **fields)

    def epoch(self) -> Iterator[Event]:
        """The rest of the present epoch: its steps, its evaluation and the decision on it.

        Raises:
            StopAsked: a stop was asked; the arm's state can be saved and resumed as it is.
            DivergedError: a loss, gradient, weight or metric is not finite.
            DataError: the dev pairs leave dev Spearman undefined.
        """
        request = yield from self._steps()
        measured, candidate = yield from self._evaluate()
        yield from self._decide(measured, candidate, request)

    # Steps

    def _steps(self) -> Generator[Event, None, Request | None]:
        """The steps that are left; returns the user's request that cut the epoch short, if any."""
        arm, progress = self.arm, self.arm.progress
        batches = arm.batches(progress.epoch)
        if progress.epoch:
            yield self._event(
                EpochStarted,
                epoch=progress.epoch,
                epochs=arm.spec.plan.epochs,
                steps=len(batches),
                last_step=progress.step - progress.step_in_epoch + len(batches),
                steps_total=arm.steps_until(arm.spec.plan.epochs),
                sets=arm.growth.kept + int(arm.growth.before is not None),
                params_trained=arm.params_trained(),
            )
        if progress.rule_steps_left:
            yield from self._correlate(batches)
        unreported_losses: list[torch.Tensor] = []
        reported = time.perf_counter()
        # On a GPU the step before is checked while the device computes this one.
        one_behind = arm.hardware.device.type != "cpu"
        previous: StepResult | None = None
        for batch in batches[progress.step_in_epoch :]:
            yield from self._pause()
            if self._steering.requested:
                break
            yield from self._guard_checks.before_step()
            begun = time.perf_counter()
            result = arm.make_step(batch)
            unreported_losses.append(result.loss)
            checked, previous = (previous, result) if one_behind else (result, result)
            diverged = checked is not None and not _is_finite(checked)
            now = time.perf_counter()
            progress.step_seconds += now - begun
            is_last = progress.step_in_epoch == len(batches)
            if diverged or is_last or now - reported >= STEP_EVENT_SECONDS:
                reported = now
                loss = float(torch.stack(unreported_losses).mean())
                norm = float(result.grad_norm)
                unreported_losses.clear()
                # Reading a loss waits for the device; that wait is part of the steps' time.
                progress.step_seconds += time.perf_counter() - now
                yield self._step_event(loss, norm, result.lr)
                self._check_finite(loss, norm)
        return self._steering.take_request()

    def _pause(self) -> Iterator[Event]:
        """Check the steering and wait while paused; the start and the end of a pause are events."""
        self._steering.check()
        if self._steering.paused:
            yield self._event(PauseChanged, paused=True)
            self._steering.wait_while_paused()
            yield self._event(PauseChanged, paused=False)

    def _correlate(self, batches: list[Rows]) -> Iterator[Event]:
        """The correlation steps that are left, on the epoch's batches in turn."""
        arm, progress, total = self.arm, self.arm.progress, self.arm.spec.settings.rule_steps
        objectives: list[float] = []
        while progress.rule_steps_left and not self._steering.requested:
            yield from self._pause()
            begun = time.perf_counter()
            done = total - progress.rule_steps_left
            objectives.append(correlation_step(arm, batches[done % len(batches)]))
            progress.step_seconds += time.perf_counter() - begun
            if not math.isfinite(objectives[-1]):
                raise DivergedError(
                    f"covariance is not finite in correlation step {done + 1} of epoch "
                    f"{progress.epoch}; the best weights are kept; lower --dendrite-lr"
                )
        if objectives:
            tenth = max(1, len(objectives) // 10)
            first, last = sum(objectives[:tenth]) / tenth, sum(objectives[-tenth:]) / tenth
            yield self._event(
                Log,
                message=f"switch {arm.growth.switches}: {len(objectives)} correlation steps, "
                f"summed covariance with the remaining error {first:.3g} -> {last:.3g}",
            )

    def _step_event(self, loss: float, norm: float, lr: float) -> Step:
        progress = self.arm.progress
        event: Step = self._event(
            Step,
            epoch=progress.epoch,
            step=progress.step,
            steps_total=self.arm.steps_until(self.arm.spec.plan.epochs),
            loss=loss,
            lr=lr,
            grad_norm=norm,
            pairs_per_second=progress.pairs / max(progress.step_seconds, 1e-9),
            elapsed_seconds=time.perf_counter() - self._started,
            remaining_seconds=self._remaining(),
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

    def _remaining(self) -> float:
        """Seconds that this arm still takes at its pace so far."""
        arm, progress = self.arm, self.arm.progress
        epochs_left = arm.spec.plan.epochs - progress.epoch
        steps_done = arm.steps_until(progress.epoch - 1) + progress.step_in_epoch
        steps_left = arm.steps_until(arm.spec.plan.epochs) - steps_done
        per_step = progress.step_seconds / max(progress.step, 1)
        per_evaluation = progress.eval_seconds / max(progress.epoch - 1, 1)
        return steps_left * per_step + (epochs_left + 1) * per_evaluation

    # Evaluation

    def _evaluate(self) -> Generator[Event, None, tuple[Measured, BestWeights]]:
        arm, corpus, progress = self.arm, self.arm.corpus, self.arm.progress
        begun = time.perf_counter()
        if progress.epoch == 0:
            # Nothing is trained yet, and the base model is already measured.
            measured, values = self._baseline.measured, self._baseline.dev.values
        else:
            release_memory()
            arm.check_finite()
            arm.model.eval()
            judging = arm.judge.judge(arm.embed_to_judge, "dev", self._steering.check)
            dev = yield from judged(judging, "dev", progress.epoch, arm.spec.name)
            guard = arm.cosines(corpus.guard, self._steering.check)
            values = dev.values
            guard_scores = score_guard(guard, self._baseline.guard, corpus.guard.scores)
            measured = measured_at(progress.epoch, dev, guard_scores)
        self._renew_negatives()
        release_memory()
        seconds = time.perf_counter() - begun
        progress.eval_seconds += seconds
        former_best = self.arm.best.measured
        is_best = measured.score > former_best.score
        best = measured if is_best else former_best
        metric = arm.judge.metric
        yield self._event(
            Evaluated,
            epoch=progress.epoch,
            split="dev",
            pairs=len(corpus.dev),
            guard_spearman=measured.guard_spearman,
            guard_scored_spearman=measured.guard_scored_spearman,
            is_best=is_best,
            best_epoch=best.epoch,
            eval_seconds=seconds,
            keep_weight=progress.keep_weight,
            **{metric: measured.score, f"best_{metric}": best.score},
            **measured.details,
        )
        if not math.isfinite(measured.score):
            self._refuse_undefined()
        if progress.epoch:
            yield from self._guard_checks.after_evaluation(measured.steering_spearman)
        return measured, BestWeights(arm.snapshot(), measured, values)

    def _refuse_undefined(self) -> None:
        """Raise the reason why the score on dev is not a number."""
        corpus, epoch = self.arm.corpus, self.arm.progress.epoch
        if not isinstance(corpus, Corpus):
            raise DivergedError(
                f"dev nDCG@10 is not a number after epoch {epoch}: an embedding is not finite; the "
                "best weights are kept; lower --lr, or train with --precision fp32"
            )
        refuse_indistinct(corpus.store, corpus.dev, "dev")
        if epoch == 0:
            raise DataError(
                "dev: the base model finds all pairs equally alike, so Spearman is undefined; "
                "give more pairs, or others"
            )
        raise DivergedError(
            f"dev Spearman is not a number after epoch {epoch}: all similarities are "
            "equal; the best weights are kept; lower --lr"
        )

    def _renew_negatives(self) -> None:
        """Mine hard negatives for the next epoch by the model that is being evaluated.

        A switch or a roll-back comes after it and may change the model; a stop comes before
        anything has changed.
        """
        arm, epoch = self.arm, self.arm.progress.epoch
        if arm.negatives is None or epoch >= arm.spec.plan.epochs:
            return
        passages = self._baseline.passages if epoch == 0 else arm.judge.passages
        assert passages is not None
        arm.model.eval()
        arm.negatives.renew(arm.embed_to_judge, passages, epoch + 1, self._steering.check)

    # Decisions

    def _decide(
        self, measured: Measured, candidate: BestWeights, request: Request | None
    ) -> Iterator[Event]:
        arm = self.arm
        former = arm.growth
        arm.growth, decision = decide(
            arm.spec.plan,
            former,
            epoch=arm.progress.epoch,
            score=measured.score,
            request=request,
        )
        if decision.improved:
            arm.best = candidate
            self._keep_best(arm)
        # Counted before a new phase starts, whose schedule covers the epochs that are left.
        arm.progress.finished = decision.finish
        arm.progress.epoch += 1
        arm.progress.step_in_epoch = 0
        if decision.settle is not None and former.before is not None:
            after = max(former.phase_best, measured.score)
            kept = decision.settle == "keep"
            yield from self._settle(former.switches, kept, former.before, after)
        if arm.progress.epoch == arm.weak_epochs + 1 and arm.weak_epochs:
            arm.start_phase()  # the questions have a schedule of their own
        if decision.grow:
            yield from self._switch()
            # A control has nothing left to train if its only set was rolled back.
            arm.progress.finished |= not arm.trained()

    def _grows(self, switch: int) -> bool:
        """Whether this switch grows a set; a control's switch may only restart."""
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
            params_added=arm.progress.params_on_trial,
            **{f"{arm.judge.metric}_before": before, f"{arm.judge.metric}_after": after},
        )
        self.records.append(record)
        yield self._event(SwitchSettled, **msgspec.structs.asdict(record))

    def _switch(self) -> Iterator[Event]:
        """Restore the best weights, grow a set, start a new optimizer and schedule."""
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
            **{f"{arm.judge.metric}_before": arm.growth.best},
        )
