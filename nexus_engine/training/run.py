"""A run as a generator of events, without a thread, a print or a screen.

    for event in train(settings, folder): ...

is a complete headless run. It trains the main arm and then its controls, writes each event to the
log, saves a checkpoint after each epoch and at a stop, and ends with exactly one terminal event.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import torch

from nexus_engine.config import Settings
from nexus_engine.errors import NexusError
from nexus_engine.events import (
    TERMINAL_EVENTS,
    Evaluated,
    Event,
    Log,
    RunStopped,
    Step,
    Warned,
)
from nexus_engine.model.regimes import build_model
from nexus_engine.runs import checkpoints
from nexus_engine.runs.exposure import exposures
from nexus_engine.runs.failures import failure
from nexus_engine.runs.folder import RunFolder
from nexus_engine.scores import SwitchRecord
from nexus_engine.scoring.evaluation import Judged, Measured
from nexus_engine.scoring.judging import Judge
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.arm.control_arms import control_specs
from nexus_engine.training.arm.judging import judged
from nexus_engine.training.arm.loop import ArmLoop
from nexus_engine.training.arm.spec import ArmSpec
from nexus_engine.training.preparation import ENCODING, Prepared, measure_base_test, prepare
from nexus_engine.training.result import result_of, sizes_of
from nexus_engine.training.saving import ArmResult, Finished, RunSaver
from nexus_engine.training.steering import Steering, StopAsked
from nexus_engine.training.steps.features import features_of

__all__ = ["train"]


def train(
    settings: Settings,
    folder: RunFolder,
    steering: Steering | None = None,
    *,
    resume: bool = False,
    guard_pairs: int | None = None,
) -> Iterator[Event]:
    """Train with `settings`; afterwards `folder` holds the whole run, its log included.

    Yields each event once it is in the log. Only the last one is a RunFinished, RunFailed or
    RunStopped. `steering` can stop the run within a step. No error is raised: each ends the run
    with a RunFailed. The guard is its first `guard_pairs` pairs; None takes all 300.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(folder.lock)
        except (NexusError, OSError) as error:
            yield failure(error, folder.path)  # only the holder of the lock writes the log
            return
        terminal: Event | None = None
        try:
            for event in _events(settings, folder, steering or Steering(), resume, guard_pairs):
                if isinstance(event, TERMINAL_EVENTS):
                    terminal = event
                folder.append(event)
                yield event
        except Exception as error:
            # The log could not be written: only the caller gets this event.
            yield failure(error, folder.path) if terminal is None else terminal


def _events(
    settings: Settings,
    folder: RunFolder,
    steering: Steering,
    resume: bool,
    guard_pairs: int | None,
) -> Iterator[Event]:
    started = time.perf_counter()
    run: _Run | None = None
    try:
        try:
            for message in exposures(folder.path):
                yield Warned(time_unix_s=time.time(), message=message)
            prepared = yield from prepare(settings, folder, steering, resume, guard_pairs)
            run = _Run(prepared, folder, steering, started)
            yield from run.arms(resume)
        except StopAsked as stop:
            yield from _stopped(stop, folder) if run is None else run.stopped(stop)
    except Exception as error:
        if run is not None:
            run.leave_best(error)
        yield failure(error, folder.path)


def _stopped(
    stop: StopAsked, folder: RunFolder, *, epoch: int = 0, step: int = 0, checkpoint: str = ""
) -> Iterator[RunStopped]:
    """The terminal event of a stop, with `checkpoint` or else the newest one in `folder`."""
    names = checkpoints.names(folder.checkpoints)
    if not checkpoint and names:
        checkpoint = f"checkpoints/{names[0]}"
    yield RunStopped(
        time_unix_s=time.time(),
        reason=stop.reason.word,
        exit_code=int(stop.reason.exit_code),
        epoch=epoch,
        step=step,
        checkpoint=checkpoint,
    )


class _Run:
    """A prepared run: its arms in turn, then the result."""

    def __init__(
        self, prepared: Prepared, folder: RunFolder, steering: Steering, started: float
    ) -> None:
        self.prepared = prepared
        self.folder = folder
        self.steering = steering
        self.saver = RunSaver(folder, prepared, started)
        self.loop: ArmLoop | None = None
        """The loop of the arm in training."""
        self._base_judge: Judge | None = None

    def arms(self, resume: bool) -> Iterator[Event]:
        """All events from the first arm to the result."""
        prepared, saver = self.prepared, self.saver
        base_test = None
        if resume:
            # The event also carries the base's dev score, which a resumed run reports nowhere else.
            base_test = yield from self._test_base()
            yield from saver.load()
        finished = saver.finished
        arms = [prepared.main]
        position = 0
        while position < len(arms):
            if position >= len(finished):
                yield from self._train_arm(arms[position])
            if position == 0 and prepared.main.settings.control:
                main = finished[0].result
                arms.extend(control_specs(prepared.main, main.switch_epochs, main.epochs))
            position += 1
        if base_test is None:  # last, since no decision needs it
            base_test = yield from self._test_base()
        result = result_of(self.folder, prepared, saver, arms, base_test, self._base_judge)
        self.folder.write_result(result)
        yield result

    def _test_base(self) -> Generator[Event, None, Judged]:
        test, self._base_judge = yield from measure_base_test(self.prepared, self.steering)
        yield self._evaluated_test("main", self.prepared.baseline.measured, test)
        return test

    def stopped(self, stop: StopAsked) -> Iterator[Event]:
        """A checkpoint, and the terminal event of a stop."""
        if self.loop is None:
            yield from _stopped(stop, self.folder)
            return
        progress = self.loop.arm.progress
        # During the test of an arm's best weights, its last state is saved already.
        checkpoint = None if progress.finished else self.saver.save(self.loop)
        if checkpoint is not None:
            yield checkpoint
        yield from _stopped(
            stop,
            self.folder,
            epoch=progress.epoch,
            step=progress.step,
            checkpoint="" if checkpoint is None else checkpoint.path,
        )

    def leave_best(self, error: Exception) -> None:
        """Write the best weights that no save has written yet, before a failure ends the run."""
        if self.loop is None or isinstance(error, OSError):
            return
        with contextlib.suppress(Exception):
            self.saver.export_best(self.loop.arm)

    # One arm

    def _train_arm(self, spec: ArmSpec) -> Iterator[Event]:
        prepared, saver, settings = self.prepared, self.saver, spec.settings
        if settings.grower == "perforatedai" and spec.name == "main":
            yield from self._train_by_library(spec)
            return
        model = build_model(prepared.inputs.base, settings.tune, settings.dropout)
        model.to(prepared.inputs.hardware.device)
        features = prepared.features
        if settings.tune == "adapter" and features is None:
            yield Log(time_unix_s=time.time(), arm=spec.name, message=ENCODING)
            features = features_of(model, prepared.corpus, self.steering.check)
        torch.manual_seed(settings.seed)
        baseline = prepared.baseline
        arm = Arm(
            spec,
            model,
            prepared.corpus,
            prepared.inputs.hardware,
            features,
            baseline.general,
            baseline.neighbours,
        )
        resumed = saver.loaded is not None
        records = saver.restore_arm(arm)
        loop = ArmLoop(arm, prepared.baseline, self.steering, saver.best_changed, records)
        self.loop = loop
        if resumed:
            yield from saver.align_best(arm)
        while not arm.progress.finished:
            yield from self._epoch(loop)
        yield from self._finish(arm, loop.records)

    def _train_by_library(self, spec: ArmSpec) -> Iterator[Event]:
        """Train the arm by perforatedai in a child process; after a stop it starts from scratch."""
        from nexus_engine.training.perforated.parent import train_by_library

        def keep_best(arm: Arm) -> None:
            self.saver.best_changed(arm)
            self.saver.export_best(arm)

        trained = yield from train_by_library(self.prepared, spec, self.steering, keep_best)
        yield from self._finish(trained.arm, trained.records)

    def _epoch(self, loop: ArmLoop) -> Iterator[Event]:
        """An epoch with its saves: at its end, and during a long one when a save is due."""
        progress, saver = loop.arm.progress, self.saver
        for event in loop.epoch():
            yield event
            # Between two steps the arm's state is consistent. A loss that is not finite ends the
            # run, so that its state is not worth a checkpoint.
            can_save = isinstance(event, Step) and math.isfinite(event.loss + event.grad_norm)
            if can_save and saver.due(epoch_over=False):
                yield saver.save(loop)
        if progress.epoch == 1:
            saver.export_best(loop.arm)  # the base model's weights: nothing is trained yet
        elif progress.finished or saver.due(epoch_over=True):
            yield saver.save(loop)

    def _finish(self, arm: Arm, records: Sequence[SwitchRecord]) -> Iterator[Event]:
        """Test the arm's best weights, once."""
        arm.restore(arm.best.weights)
        arm.model.eval()
        is_last = arm.best.measured.epoch == arm.progress.epoch - 1  # just evaluated on dev
        passages = arm.judge.passages if is_last else None
        judging = arm.judge.judge(arm.embed_to_judge, "test", self.steering.check, passages)
        test = yield from judged(judging, "test", arm.best.measured.epoch, arm.spec.name)
        yield self._evaluated_test(arm.spec.name, arm.best.measured, test)
        progress = arm.progress
        result = ArmResult(
            name=arm.spec.name,
            best=arm.best.measured,
            test=test.score,
            test_details=dict(test.details),
            sizes=sizes_of(self.prepared, arm.judge, self.steering.check),
            switch_epochs=tuple(progress.switch_epochs),
            records=tuple(records),
            epochs=progress.epoch - 1,
            switches=arm.growth.switches,
            kept=arm.growth.kept,
            params_trained=arm.params_trained(),
            params_added=arm.dendrite_params(),
            step_seconds=progress.step_seconds,
            train_seconds=progress.step_seconds + progress.eval_seconds,
            pairs=progress.pairs,
        )
        self.saver.finished.append(Finished(result, arm.best.values, test.values))
        self.loop = None

    def _evaluated_test(self, arm: str, best: Measured, test: Judged) -> Evaluated:
        metric = self.prepared.metric
        scores: dict[str, Any] = {metric: test.score, f"best_{metric}": best.score, **test.details}
        return Evaluated(
            time_unix_s=time.time(),
            arm=arm,
            epoch=best.epoch,
            split="test",
            pairs=len(self.prepared.corpus.test),
            guard_spearman=best.guard_spearman,
            guard_scored_spearman=best.guard_scored_spearman,
            is_best=False,
            best_epoch=best.epoch,
            eval_seconds=0.0,
            **scores,
        )
