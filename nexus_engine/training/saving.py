"""What a run puts on the disk while it trains: checkpoints, and the best weights so far.

A checkpoint comes first and holds the best weights too; only then are these written to `best/`. So
`best/` is never ahead of the checkpoint that a resume starts from, and a resumed run, which may
find a lesser best on hardware that is not bit-exact, cannot overwrite a better one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from nexus_engine.errors import ModelError, RunError
from nexus_engine.events import CheckpointSaved, SwitchRecord, Warned
from nexus_engine.runs import checkpoints
from nexus_engine.runs.folder import RunFolder
from nexus_engine.runs.saved_model import intact_card, save_model
from nexus_engine.scoring.evaluation import Measured
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.arm.loop import ArmLoop
from nexus_engine.training.arm.state import load_state, state_of
from nexus_engine.training.preparation import Prepared
from nexus_engine.training.save_clock import SaveClock

__all__ = ["ArmResult", "Finished", "RunSaver"]


class ArmResult(msgspec.Struct, frozen=True, kw_only=True):
    """What an arm came to. `switch_epochs` are the epochs after which a switch was made."""

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


class RunSaver:
    """Saves and loads a run's state. `finished` holds the arms that are done, in their order."""

    def __init__(self, folder: RunFolder, prepared: Prepared, started: float) -> None:
        """`started`: the value of `time.perf_counter` when the run was started."""
        self.finished: list[Finished] = []
        self._started = started
        self._seconds_before = 0.0
        self._folder = folder
        self._prepared = prepared
        self._clock = SaveClock(time.monotonic())
        self._best_waits = False

    @property
    def total_seconds(self) -> float:
        """Seconds of this start and of the earlier ones, each up to the state it left."""
        return self._seconds_before + time.perf_counter() - self._started

    # Saving

    def due(self, *, epoch_over: bool) -> bool:
        """Whether a checkpoint is to be saved now."""
        return self._clock.due(time.monotonic(), epoch_over=epoch_over)

    def save(self, loop: ArmLoop) -> CheckpointSaved:
        """Save a checkpoint, then the best weights where they have changed.

        Raises:
            DivergedError: a weight is not finite; nothing is saved.
            OSError: a write failed; the checkpoints before and `best/` are as they were.
        """
        begun = time.monotonic()
        arm = loop.arm
        arm.check_finite()
        tensors, meta = state_of(arm)
        for i, done in enumerate(self.finished):
            tensors[f"finished/{i}"] = torch.from_numpy(done.cosines)
        meta["arm"] = arm.spec.name
        meta["total_seconds"] = self.total_seconds
        meta["records"] = [msgspec.to_builtins(r) for r in loop.records]
        meta["finished"] = [msgspec.to_builtins(done.result) for done in self.finished]
        name, size = checkpoints.save(self._folder.checkpoints, tensors, meta)
        self.export_best(arm)
        ended = time.monotonic()
        self._clock.saved(begun, ended)
        return CheckpointSaved(
            time_unix_s=time.time(),
            arm=arm.spec.name,
            path=f"checkpoints/{name}",
            epoch=arm.progress.epoch,
            step=arm.progress.step,
            size_bytes=size,
            save_seconds=ended - begun,
        )

    def best_changed(self, arm: Arm) -> None:
        """Told of every new best of an arm and of every return to one; a control's stay inside."""
        self._best_waits = self._best_waits or arm.spec.name == "main"

    def export_best(self, arm: Arm) -> None:
        """Write the main arm's best weights to `best/`, where they have changed."""
        if not self._best_waits or arm.spec.name != "main":
            return
        measured, settings = arm.best.measured, arm.spec.settings
        save_model(
            self._folder.best,
            arm.best.weights,
            {
                "tune": settings.tune,
                "nonlinearity": settings.nonlinearity,
                "base_sha256": self._prepared.inputs.base.sha256,
                "tokenizer_sha256": self._prepared.inputs.base.tokenizer_sha256,
                "base_folder": settings.base,
                "epoch": measured.epoch,
                "dev_spearman": measured.spearman,
                "params_added": arm.dendrite_params(),
                "data_name": self._prepared.inputs.data.name,
                "data_fingerprint": self._prepared.inputs.data.fingerprint,
            },
        )
        self._best_waits = False

    # Loading

    def load(self) -> Iterator[Warned]:
        """Take up the newest whole checkpoint, as `loaded`; say which ones were passed over.

        Raises:
            RunError: it is whole but not of this version, or a folder of the run is a link.
        """
        self._folder.check_own_folders()
        self.loaded = saved = checkpoints.load_latest(self._folder.checkpoints)
        now = time.time()
        if saved is None:
            if checkpoints.names(self._folder.checkpoints):
                yield Warned(time_unix_s=now, message="no checkpoint is whole; beginning again")
            return
        for name in saved.damaged:
            yield Warned(time_unix_s=now, message=f"{name} is damaged; going on from {saved.name}")
        try:
            for i, result in enumerate(saved.meta["finished"]):
                cosines = saved.tensors[f"finished/{i}"].numpy()
                done = msgspec.convert(result, ArmResult)
                self._check_finished(done, cosines)
                self.finished.append(Finished(done, cosines))
            self._seconds_before = _seconds_of(saved)
        except (KeyError, TypeError, ValueError, OverflowError, msgspec.ValidationError):
            raise self._foreign(saved) from None

    def _check_finished(self, done: ArmResult, cosines: npt.NDArray[np.float64]) -> None:
        """Refuse what a control could not be trained or compared by."""
        most = self._prepared.main.epochs + 1
        epochs = (done.epochs, *done.switch_epochs)
        if not all(0 <= epoch <= most for epoch in epochs) or len(done.switch_epochs) > most:
            raise ValueError("an epoch is out of range")
        if cosines.shape != (len(self._prepared.corpus.dev),):
            raise ValueError("the dev similarities do not fit")

    loaded: checkpoints.Checkpoint | None = None
    """What `load` found and no arm has taken up yet."""

    def take_up(self, arm: Arm) -> list[SwitchRecord]:
        """Put the loaded state into the arm that it is of; the switches settled before."""
        saved, self.loaded = self.loaded, None
        if saved is None or saved.meta.get("arm") != arm.spec.name:
            return []
        try:
            load_state(arm, saved.tensors, saved.meta)
            return [msgspec.convert(r, SwitchRecord) for r in saved.meta["records"]]
        except (KeyError, TypeError, ValueError, RuntimeError, msgspec.ValidationError):
            raise self._foreign(saved) from None

    def _foreign(self, saved: checkpoints.Checkpoint) -> RunError:
        return RunError(f"{saved.name}: not a checkpoint of this version; start a new run")

    def align_best(self, arm: Arm) -> Iterator[Warned]:
        """After a resume: make `best/` hold what the checkpoint calls the best.

        Better weights, of an epoch that only a damaged checkpoint knew, are put aside.
        """
        if arm.spec.name != "main":
            return
        best = arm.best.measured
        try:
            card = intact_card(self._folder.best)
        except ModelError:
            card = None
        if card is not None and (card.epoch, card.dev_spearman) == (best.epoch, best.spearman):
            return
        if card is not None and card.dev_spearman > best.spearman:
            aside = self._folder.path / f"best-of-epoch-{card.epoch:04d}"
            shutil.rmtree(aside, ignore_errors=True)
            if aside.is_symlink():  # which rmtree leaves
                os.unlink(aside)
            with contextlib.suppress(FileNotFoundError):
                os.rename(self._folder.best, aside)
            yield Warned(
                time_unix_s=time.time(),
                message=f"the weights in best/ are of an epoch that is trained again; a copy "
                f"stays in {aside.name}/",
            )
        self._best_waits = True
        self.export_best(arm)


def _seconds_of(saved: checkpoints.Checkpoint) -> float:
    """Seconds that the run had taken in all when `saved` was made."""
    total = saved.meta.get("total_seconds")
    if isinstance(total, int | float):
        return float(total)
    # A checkpoint of a version that did not say: training is the most of it.
    progress = saved.meta["progress"]
    trained = sum(float(done["train_seconds"]) for done in saved.meta["finished"])
    return trained + float(progress["step_seconds"]) + float(progress["eval_seconds"])
