"""A whole run: a generator of events, without a thread, a print or a screen.

    for event in train(settings, folder): ...

is a complete headless run. It trains the main arm and then its controls, saves a checkpoint after
each epoch and at a stop, and ends with exactly one terminal event.
"""

from __future__ import annotations

import errno
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from nexus_engine import checkpoints
from nexus_engine.arm import Arm, ArmSpec, Measured, features_of
from nexus_engine.arm_loop import ArmLoop
from nexus_engine.config import Settings
from nexus_engine.controls import control_specs
from nexus_engine.correlation import bootstrap_gain
from nexus_engine.errors import ExitCode, NexusError, RunError, one_line
from nexus_engine.evaluation import correlate
from nexus_engine.events import (
    CheckpointSaved,
    ControlResult,
    Evaluated,
    Event,
    Log,
    RunFailed,
    RunFinished,
    RunStopped,
    SwitchRecord,
    Warned,
)
from nexus_engine.hardware import peak_rss_mb
from nexus_engine.preparation import ENCODING, Prepared, prepare
from nexus_engine.run_folder import RunFolder
from nexus_engine.saved_model import build_model, save_model
from nexus_engine.steering import Steering, StopAsked

__all__ = ["train"]


def train(
    settings: Settings,
    folder: RunFolder,
    steering: Steering | None = None,
    *,
    resume: bool = False,
) -> Iterator[Event]:
    """Train as `settings` say, writing weights and checkpoints into `folder`.

    Yields events; the last one, and no other, is a RunFinished, RunFailed or RunStopped. Stops
    within a step when `steering` asks for it. Errors end in a RunFailed, none is raised.
    """
    run = _Run(settings, folder, steering or Steering())
    try:
        yield from run.events(resume)
    except StopAsked as stop:
        yield from run.stopped(stop)
    except NexusError as error:
        yield _failed(type(error).__name__, str(error), error.exit_code)
    except (MemoryError, torch.OutOfMemoryError):
        yield _failed(
            "MemoryError",
            "out of memory; try a smaller --batch-size",
            ExitCode.RESOURCES,
        )
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO)
        yield _failed(
            type(error).__name__,
            f"{one_line(error.filename or folder.path, 200)}: {error.strerror}",
            ExitCode.RESOURCES if full else ExitCode.FAILED,
        )
    except Exception as error:
        # Neither the message nor local variables: they may hold the user's sentences.
        where = traceback.extract_tb(error.__traceback__)[-1]
        name = type(error).__name__
        place = f"{Path(where.filename).name}:{where.lineno}"
        yield _failed(name, f"internal error: {name} at {place}", ExitCode.FAILED)


def _failed(kind: str, message: str, code: ExitCode) -> RunFailed:
    return RunFailed(
        time_unix_s=time.time(), kind=kind, message=one_line(message), exit_code=int(code)
    )


class ArmResult(msgspec.Struct, frozen=True, kw_only=True):
    """What an arm came to. `added_epochs` are the epochs after which a switch was made."""

    name: str
    best: Measured
    test_spearman: float
    test_pearson: float
    switch_epochs: tuple[int, ...]
    records: tuple[SwitchRecord, ...]
    epochs: int
    switches: int
    kept: int
    params_trained: int
    params_added: int
    step_seconds: float
    train_seconds: float
    pairs: int


class Finished(NamedTuple):
    """An arm's result with its best dev similarities (n,)."""

    result: ArmResult
    cosines: npt.NDArray[np.float64]


class _Run:
    """One run: its arms in turn, then the result."""

    def __init__(self, settings: Settings, folder: RunFolder, steering: Steering) -> None:
        self.settings = settings
        self.folder = folder
        self.steering = steering
        self.started = time.perf_counter()
        self.prepared: Prepared | None = None
        self.loop: ArmLoop | None = None
        self.finished: list[Finished] = []

    def events(self, resume: bool) -> Iterator[Event]:
        """All events of the run but the terminal one of a stop or failure."""
        prepared = yield from prepare(self.settings, self.folder, self.steering, resume)
        self.prepared = prepared
        yield self._evaluated_test("main", prepared.baseline.measured, prepared.baseline.test)
        saved = self._load_checkpoint() if resume else None
        if saved is not None:
            for name in saved.damaged:
                yield Warned(
                    time_unix_s=time.time(),
                    message=f"{name} is damaged; going on from {saved.name}",
                )
        arms = [prepared.main]
        position = 0
        while position < len(arms):
            if position >= len(self.finished):
                yield from self._train_arm(arms[position], saved)
                saved = None
            if position == 0 and self.settings.control:
                first = self.finished[0].result
                arms.extend(control_specs(prepared.main, first.switch_epochs, first.epochs))
            position += 1
        result = self._result(arms)
        self.folder.write_result(result)
        yield result

    def stopped(self, stop: StopAsked) -> Iterator[Event]:
        """A checkpoint, and the terminal event of a stop."""
        epoch = step = 0
        path = ""
        if self.loop is not None and self.prepared is not None:
            saved = self._checkpoint(self.loop)
            epoch, step, path = saved.epoch, saved.step, saved.path
            yield saved
        yield RunStopped(
            time_unix_s=time.time(),
            reason=stop.reason.word,
            exit_code=int(stop.reason.exit_code),
            epoch=epoch,
            step=step,
            checkpoint=path,
        )

    # One arm

    def _train_arm(self, spec: ArmSpec, saved: checkpoints.Checkpoint | None) -> Iterator[Event]:
        assert self.prepared is not None
        prepared, settings = self.prepared, spec.settings
        if settings.grower == "perforatedai" and spec.name == "main":
            yield from self._train_by_library(spec)
            return
        model = build_model(prepared.base, settings.tune, settings.dropout)
        model.to(prepared.hardware.device)
        features = prepared.features
        if settings.tune == "adapter" and features is None:
            yield Log(time_unix_s=time.time(), arm=spec.name, message=ENCODING)
            features = features_of(model, prepared.corpus, self.steering.check)
        torch.manual_seed(settings.seed)
        arm = Arm(spec, model, prepared.corpus, prepared.hardware, features)
        records: list[SwitchRecord] = []
        if saved is not None and saved.meta["arm"] == spec.name:
            arm.load_state(saved.tensors, saved.meta)
            records = [msgspec.convert(r, SwitchRecord) for r in saved.meta["records"]]
        loop = ArmLoop(arm, prepared.baseline, self.steering, self._keep_best, records)
        self.loop = loop
        while not arm.progress.finished:
            yield from loop.epoch()
            if arm.progress.epoch > 1:
                yield self._checkpoint(loop)
        yield from self._finish(arm, loop.records)

    def _train_by_library(self, spec: ArmSpec) -> Iterator[Event]:
        """The arm trained by perforatedai in a child process; a stopped one begins again."""
        from nexus_engine.perforated.parent import train_by_library

        assert self.prepared is not None
        trained = yield from train_by_library(self.prepared, spec, self.steering, self._keep_best)
        yield from self._finish(trained.arm, trained.records)

    def _finish(self, arm: Arm, records: Sequence[SwitchRecord]) -> Iterator[Event]:
        """Test the arm's best weights, once."""
        arm.restore(arm.best.weights)
        corpus = arm.corpus
        test = correlate(arm.cosines(corpus.test, self.steering.check), corpus.test.scores)
        yield self._evaluated_test(arm.spec.name, arm.best.measured, test)
        progress = arm.progress
        result = ArmResult(
            name=arm.spec.name,
            best=arm.best.measured,
            test_spearman=test.spearman,
            test_pearson=test.pearson,
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
        self.finished.append(Finished(result, arm.best.cosines))
        self.loop = None

    def _keep_best(self, arm: Arm) -> None:
        """Write the main arm's best weights; a control leaves figures only."""
        assert self.prepared is not None
        if arm.spec.name != "main":
            return
        measured = arm.best.measured
        save_model(
            self.folder.best,
            arm.best.weights,
            {
                "tune": arm.spec.settings.tune,
                "nonlinearity": arm.spec.settings.nonlinearity,
                "base_sha256": self.prepared.base.sha256,
                "base_folder": self.settings.base,
                "epoch": measured.epoch,
                "dev_spearman": measured.spearman,
                "params_added": arm.dendrite_params(),
                "data_name": self.prepared.data.name,
                "data_fingerprint": self.prepared.data.fingerprint,
            },
        )

    def _evaluated_test(self, arm: str, best: Measured, test: Any) -> Evaluated:
        assert self.prepared is not None
        return Evaluated(
            time_unix_s=time.time(),
            arm=arm,
            epoch=best.epoch,
            split="test",
            pairs=len(self.prepared.corpus.test),
            spearman=test.spearman,
            pearson=test.pearson,
            guard_spearman=best.guard_spearman,
            guard_scored_spearman=best.guard_scored_spearman,
            is_best=False,
            best_spearman=best.spearman,
            best_epoch=best.epoch,
            eval_seconds=0.0,
        )

    # Checkpoints

    def _checkpoint(self, loop: ArmLoop) -> CheckpointSaved:
        begun = time.perf_counter()
        tensors, meta = loop.arm.state()
        for i, done in enumerate(self.finished):
            tensors[f"finished/{i}"] = torch.from_numpy(done.cosines)
        meta["arm"] = loop.arm.spec.name
        meta["records"] = [msgspec.to_builtins(r) for r in loop.records]
        meta["finished"] = [msgspec.to_builtins(done.result) for done in self.finished]
        name, size = checkpoints.save(self.folder.checkpoints, tensors, meta)
        progress = loop.arm.progress
        return CheckpointSaved(
            time_unix_s=time.time(),
            arm=loop.arm.spec.name,
            path=f"checkpoints/{name}",
            epoch=progress.epoch,
            step=progress.step,
            size_bytes=size,
            save_seconds=time.perf_counter() - begun,
        )

    def _load_checkpoint(self) -> checkpoints.Checkpoint | None:
        saved = checkpoints.load_latest(self.folder.checkpoints)
        if saved is None:
            return None  # stopped before the first epoch ended: begin again
        try:
            for i, result in enumerate(saved.meta["finished"]):
                cosines = saved.tensors[f"finished/{i}"].numpy()
                self.finished.append(Finished(msgspec.convert(result, ArmResult), cosines))
        except (KeyError, msgspec.ValidationError):
            raise RunError(f"{saved.name}: not a checkpoint of this version") from None
        return saved

    # The result

    def _result(self, arms: list[ArmSpec]) -> RunFinished:
        assert self.prepared is not None
        prepared, baseline = self.prepared, self.prepared.baseline
        main = self.finished[0].result
        controls = tuple(
            self._against(s, f) for s, f in zip(arms[1:], self.finished[1:], strict=True)
        )
        strictest = max(controls, key=lambda c: c.dev_spearman, default=None)
        return RunFinished(
            time_unix_s=time.time(),
            run_dir=str(self.folder.path),
            base_dev_spearman=baseline.dev.spearman,
            base_test_spearman=baseline.test.spearman,
            best_dev_spearman=main.best.spearman,
            best_dev_pearson=main.best.pearson,
            best_epoch=main.best.epoch,
            test_spearman=main.test_spearman,
            test_pearson=main.test_pearson,
            guard_spearman=main.best.guard_spearman,
            guard_scored_spearman=main.best.guard_scored_spearman,
            base_guard_scored_spearman=baseline.guard_scored,
            switches=main.switches,
            switches_kept=main.kept,
            switch_records=main.records,
            params_base=prepared.params_base,
            params_trained=main.params_trained,
            params_added=main.params_added,
            epochs=main.epochs,
            train_seconds=main.train_seconds,
            total_seconds=time.perf_counter() - self.started,
            pairs_per_second=main.pairs / max(main.step_seconds, 1e-9),
            peak_rss_mb=peak_rss_mb(),
            control_dev_spearman=None if strictest is None else strictest.dev_spearman,
            control_test_spearman=None if strictest is None else strictest.test_spearman,
            controls=controls,
        )

    def _against(self, spec: ArmSpec, control: Finished) -> ControlResult:
        """The main arm's dev gain over a control, with its interval."""
        assert self.prepared is not None
        gain = bootstrap_gain(
            self.finished[0].cosines, control.cosines, self.prepared.corpus.dev.scores
        )
        return ControlResult(
            name=spec.name.removeprefix("control:"),
            description=spec.description,
            params_trained=control.result.params_trained,
            dev_spearman=control.result.best.spearman,
            test_spearman=control.result.test_spearman,
            guard_spearman=control.result.best.guard_spearman,
            best_epoch=control.result.best.epoch,
            gain_dev_spearman=gain.value,
            gain_low=gain.low,
            gain_high=gain.high,
        )
