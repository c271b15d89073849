"""What a run writes to disk while it trains: checkpoints, and the best weights so far.

The checkpoint is written first and holds the best weights too; `best/` is written after it. So
`best/` is never ahead of the checkpoint that a resume starts from, and a resumed run, which may
find a lower best on hardware that is not bit-exact, cannot overwrite a better one.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from nexus_engine.errors import ModelError, RunError
from nexus_engine.events import CheckpointSaved, Warned
from nexus_engine.runs import checkpoints
from nexus_engine.runs.folder import RunFolder
from nexus_engine.runs.saved_model import intact_card, save_model
from nexus_engine.scores import SwitchRecord
from nexus_engine.scoring.evaluation import Measured, stored_measured
from nexus_engine.scoring.small_vectors import SmallVectors
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.arm.loop import ArmLoop
from nexus_engine.training.arm.state import arm_state, load_state
from nexus_engine.training.preparation import Prepared
from nexus_engine.training.save_clock import SaveClock

__all__ = ["ArmResult", "Finished", "RunSaver"]


class ArmResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an arm. `switch_epochs` are the epochs after which a switch was made."""

    name: str
    best: Measured
    test: float
    test_details: dict[str, float]
    sizes: tuple[SmallVectors, ...] = ()
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
    """An arm's result, and the values of its best weights on dev (n,) and on test (m,).

    A run of an earlier version saved no values on test; they are empty then.
    """

    result: ArmResult
    dev_values: npt.NDArray[np.float64]
    test_values: npt.NDArray[np.float64]


class RunSaver:
    """Saves and loads a run's state. `finished` holds the arms that are done, in their order."""

    def __init__(self, folder: RunFolder, prepared: Prepared, started: float) -> None:
        """`started`: the value of `time.perf_counter` when the run was started."""
        self.finished: list[Finished] = []
        self.loaded: checkpoints.Checkpoint | None = None
        """The checkpoint that `load` has read and no arm has restored yet."""
        self._started = started
        self._seconds_before = 0.0
        self._folder = folder
        self._prepared = prepared
        self._clock = SaveClock(time.monotonic())
        self._best_unsaved = False

    @property
    def total_seconds(self) -> float:
        """Seconds of this start and of the earlier ones, each up to its last checkpoint."""
        return self._seconds_before + time.perf_counter() - self._started

    # Saving

    def due(self, *, epoch_over: bool) -> bool:
        """Whether to save a checkpoint now."""
        return self._clock.due(time.monotonic(), epoch_over=epoch_over)

    def save(self, loop: ArmLoop) -> CheckpointSaved:
        """Save a checkpoint, then the best weights if they have changed.

        Raises:
            DivergedError: a weight is not finite; nothing is saved.
            OSError: a write failed; the earlier checkpoints and `best/` are unchanged.
        """
        begun = time.monotonic()
        arm = loop.arm
        arm.check_finite()
        tensors, meta = arm_state(arm)
        for i, finished in enumerate(self.finished):
            tensors[f"finished/{i}"] = torch.from_numpy(finished.dev_values)
            tensors[f"finished/{i}/test"] = torch.from_numpy(finished.test_values)
        meta["arm"] = arm.spec.name
        meta["total_seconds"] = self.total_seconds
        meta["records"] = [msgspec.to_builtins(r) for r in loop.records]
        meta["finished"] = [msgspec.to_builtins(finished.result) for finished in self.finished]
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
        """Note that an arm's best weights have changed; a control's are never exported."""
        self._best_unsaved = self._best_unsaved or arm.spec.name == "main"

    def export_best(self, arm: Arm) -> None:
        """Write the main arm's best weights to `best/` if they have changed."""
        if not self._best_unsaved or arm.spec.name != "main":
            return
        measured, settings = arm.best.measured, arm.spec.settings
        shape = self._prepared.inputs.base.shape
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
                "max_tokens": settings.max_length,
                "pooling": shape.encoder.pooling,
                "query_prompt": shape.prompts.query,
                "passage_prompt": shape.prompts.passage,
                f"dev_{arm.judge.metric}": measured.score,
                "params_added": arm.dendrite_params(),
                "data_name": self._prepared.inputs.data.name,
                "data_fingerprint": self._prepared.inputs.data.fingerprint,
            },
        )
        self._best_unsaved = False

    # Loading

    def load(self) -> Iterator[Warned]:
        """Read the newest undamaged checkpoint into `loaded`; warn of each damaged one.

        Raises:
            RunError: the checkpoint is not of this version, or a folder of the run is a link.
        """
        self._folder.check_own_folders()
        self.loaded = checkpoint = checkpoints.load_latest(self._folder.checkpoints)
        now = time.time()
        if checkpoint is None:
            if checkpoints.names(self._folder.checkpoints):
                message = "every checkpoint is damaged; starting from the base model"
                yield Warned(time_unix_s=now, message=message)
            return
        for name in checkpoint.damaged:
            message = f"{name} is damaged; resuming from {checkpoint.name}"
            yield Warned(time_unix_s=now, message=message)
        try:
            for i, fields in enumerate(checkpoint.meta["finished"]):
                dev_values = checkpoint.tensors[f"finished/{i}"].numpy()
                test_values = checkpoint.tensors.get(f"finished/{i}/test", NO_VALUES).numpy()
                result = _stored_result(fields)
                self._check_finished(result, dev_values, test_values)
                self.finished.append(Finished(result, dev_values, test_values))
            self._seconds_before = _seconds_of(checkpoint)
        except (KeyError, TypeError, ValueError, OverflowError, msgspec.ValidationError):
            raise _not_of_this_version(checkpoint) from None

    def _check_finished(
        self,
        result: ArmResult,
        dev_values: npt.NDArray[np.float64],
        test_values: npt.NDArray[np.float64],
    ) -> None:
        """Refuse a result of the main arm that no control could be planned from or compared to."""
        max_epoch = self._prepared.main.epochs + 1
        epochs = (result.epochs, *result.switch_epochs)
        in_range = all(0 <= epoch <= max_epoch for epoch in epochs)
        if not in_range or len(result.switch_epochs) > max_epoch:
            raise ValueError("an epoch is out of range")
        corpus = self._prepared.corpus
        if dev_values.shape != (len(corpus.dev),):
            raise ValueError("the values of the dev examples do not fit")
        if test_values.shape not in ((0,), (len(corpus.test),)):
            raise ValueError("the values of the test examples do not fit")

    def restore_arm(self, arm: Arm) -> list[SwitchRecord]:
        """Restore the loaded state if it is of this arm; returns the arm's settled switches."""
        checkpoint, self.loaded = self.loaded, None
        if checkpoint is None or checkpoint.meta.get("arm") != arm.spec.name:
            return []
        try:
            load_state(arm, checkpoint.tensors, checkpoint.meta)
            return [msgspec.convert(r, SwitchRecord) for r in checkpoint.meta["records"]]
        except (KeyError, TypeError, ValueError, RuntimeError, msgspec.ValidationError):
            raise _not_of_this_version(checkpoint) from None

    def align_best(self, arm: Arm) -> Iterator[Warned]:
        """After a resume, make `best/` hold the best weights of the checkpoint.

        Better weights, of an epoch that only a damaged checkpoint had, are moved aside.
        """
        if arm.spec.name != "main":
            return
        best = arm.best.measured
        try:
            card = intact_card(self._folder.best)
        except ModelError:
            card = None
        if card is not None and (card.epoch, card.dev_score) == (best.epoch, best.score):
            return
        if card is not None and card.dev_score > best.score:
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
        self._best_unsaved = True
        self.export_best(arm)


NO_VALUES = torch.zeros(0, dtype=torch.float64)


def _stored_result(stored: dict[str, Any]) -> ArmResult:
    """An `ArmResult` from a checkpoint, of earlier versions too.

    Raises:
        msgspec.ValidationError: the fields are not those of an `ArmResult`.
    """
    fields = {**stored, "best": msgspec.to_builtins(stored_measured(stored["best"]))}
    if "test_spearman" in fields:
        fields["test"] = fields.pop("test_spearman")
        fields["test_details"] = {"pearson": fields.pop("test_pearson", math.nan)}
    return msgspec.convert(fields, ArmResult)


def _not_of_this_version(checkpoint: checkpoints.Checkpoint) -> RunError:
    return RunError(f"{checkpoint.name}: not a checkpoint of this version; start a new run")


def _seconds_of(checkpoint: checkpoints.Checkpoint) -> float:
    """Seconds that the run had taken in all when `checkpoint` was saved."""
    total = checkpoint.meta.get("total_seconds")
    if isinstance(total, int | float):
        return float(total)
    # Earlier versions did not record the total; training is most of it.
    progress = checkpoint.meta["progress"]
    trained = sum(float(result["train_seconds"]) for result in checkpoint.meta["finished"])
    return trained + float(progress["step_seconds"]) + float(progress["eval_seconds"])
