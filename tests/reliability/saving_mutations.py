"""Mutations of saving and resuming."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reliability.mutating import put

# Saving


def write_in_place() -> None:
    from nexus_engine.disk import files
    from nexus_engine.runs import folder as run_folder
    from nexus_engine.runs import saved_model

    def replace(path: Path, value: Any) -> None:
        path.unlink(missing_ok=True)
        files.write_json(path, value)

    put(run_folder, "replace_json", replace)
    put(saved_model, "replace_json", replace)


def card_before_weights() -> None:
    from nexus_engine.runs import saved_model

    made = saved_model.save_model

    def save(folder: Path, snapshot: Any, facts: Any) -> None:
        for old in folder.glob("weights-*"):
            os.unlink(old)
        made(folder, snapshot, facts)

    put(saved_model, "save_model", save)
    from reliability import storage

    put(storage, "save_model", save)


def prune_first() -> None:
    import shutil

    from nexus_engine.runs import checkpoints

    made = checkpoints.save

    def save(folder: Path, *given: Any) -> Any:
        for name in checkpoints.names(folder):
            shutil.rmtree(folder / name)
        return made(folder, *given)

    put(checkpoints, "save", save)


def no_manifest_check() -> None:
    from nexus_engine.runs import checkpoints

    put(checkpoints, "_complete", lambda folder: True)


def no_fsync_of_files() -> None:
    from nexus_engine.disk import files, tensor_files

    class Lazy:
        def __getattr__(self, name: str) -> Any:
            return (lambda handle: None) if name == "fsync" else getattr(os, name)

    put(files, "os", Lazy())
    put(tensor_files, "os", Lazy())


def no_fsync_of_folders() -> None:
    from nexus_engine.disk import files
    from nexus_engine.runs import checkpoints

    put(files, "sync", lambda path: None)
    put(checkpoints, "sync", lambda path: None)


def no_cleaning() -> None:
    from nexus_engine.runs import checkpoints

    put(checkpoints, "_prune", lambda folder, older: None)


# Resuming


def after_loading(change: Callable[[Any], None]) -> None:
    from nexus_engine.training import saving as run_saving

    loaded = run_saving.load_state

    def load(arm: Any, tensors: Any, meta: Any) -> None:
        loaded(arm, tensors, meta)
        change(arm)

    put(run_saving, "load_state", load)


def dropout_begun_again() -> None:
    """Masks are chosen by the number of the step: a resumed run counts from 0."""

    def forget(arm: Any) -> None:
        begin, first = arm.steps.pool.begin, arm.progress.step
        arm.steps.pool.begin = lambda step: begin(step - first)

    after_loading(forget)


def optimizer_lost() -> None:
    after_loading(lambda arm: arm.optimizer and arm.optimizer.state.clear())


def patience_reset() -> None:
    import msgspec

    def reset(arm: Any) -> None:
        arm.growth = msgspec.structs.replace(arm.growth, phase_best_epoch=arm.progress.epoch)

    after_loading(reset)


def epoch_begun_again() -> None:
    after_loading(lambda arm: setattr(arm.progress, "step_in_epoch", 0))


def best_forgotten() -> None:
    def forget(arm: Any) -> None:
        arm.best = arm.before_switch

    after_loading(forget)


def _after_loading(change: Any) -> None:
    """Let `change` meet the arm once its state is restored."""
    from nexus_engine.training import saving

    made = saving.load_state

    def load(arm: Any, *given: Any) -> None:
        made(arm, *given)
        change(arm)

    put(saving, "load_state", load)


def negatives_forgotten() -> None:
    _after_loading(lambda arm: arm.negatives.rows.fill(-1))


def guard_count_begun_again() -> None:
    _after_loading(lambda arm: setattr(arm.progress, "tokens_since_check", 0))


def keep_weight_forgotten() -> None:
    _after_loading(lambda arm: arm.set_keep_weight(0.0))
