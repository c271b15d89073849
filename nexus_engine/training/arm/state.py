"""An arm's state as a checkpoint stores it: tensors by name, and plain numbers."""

from __future__ import annotations

from typing import Any

import msgspec
import torch
from torch import Tensor

from nexus_engine.event_ranges import MAX_EPOCHS
from nexus_engine.growth import GrowthState
from nexus_engine.scoring.evaluation import stored_measured
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.arm.snapshots import BestWeights, Snapshot
from nexus_engine.training.arm.spec import ArmProgress
from nexus_engine.training.steps.correlation_rule import Covariances

__all__ = ["arm_state", "load_state"]

MAX_COUNT = 2**53
"""Bound on counts of steps and pairs: a float represents every integer up to it."""


def _no_best_since_switch(arm: Arm) -> bool:
    """Whether the best weights are those that the last switch started from."""
    return arm.before_switch.weights is arm.best.weights


def arm_state(arm: Arm) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Everything that a bit-exact resume needs: tensors by name, and plain numbers."""
    tensors: dict[str, Tensor] = {}
    for kind, snapshot in (
        ("now", arm.snapshot()),
        ("best", arm.best.weights),
        # While the two are the same weights, they are stored once.
        ("before", {} if _no_best_since_switch(arm) else arm.before_switch.weights),
    ):
        tensors.update({f"{kind}/{name}": tensor for name, tensor in snapshot.items()})
    if arm.optimizer is not None:
        names = {id(p): name for name, p in arm.trained().items()}
        for parameter, state in arm.optimizer.state.items():
            for key, value in state.items():
                tensors[f"optimizer/{key}/{names[id(parameter)]}"] = value
    for name, running in arm.covariances.items():
        tensors[f"covariances/{name}"] = running.mean
    tensors["random/cpu"] = torch.get_rng_state()
    if arm.hardware.device.type == "cuda":
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    tensors["cosines/best"] = torch.from_numpy(arm.best.values)
    tensors["cosines/before"] = torch.from_numpy(arm.before_switch.values.copy())
    if arm.negatives is not None:
        tensors["negatives"] = arm.negatives.tensor()
    meta = {
        "fresh_switch": _no_best_since_switch(arm),
        "best": msgspec.to_builtins(arm.best.measured),
        "before": msgspec.to_builtins(arm.before_switch.measured),
        "progress": msgspec.to_builtins(arm.progress),
        "growth": msgspec.to_builtins(arm.growth),
    }
    return tensors, meta


def _check_counters(arm: Arm, progress: ArmProgress, growth: GrowthState) -> None:
    """Refuse counters that would make the loop endless or divide by zero."""
    maxima = {
        "epoch": arm.spec.plan.epochs + 1,
        "rule_steps_left": arm.spec.settings.rule_steps,
        "switches": MAX_EPOCHS,
    }
    for record in (progress, growth):
        for name in record.__struct_fields__:
            value = getattr(record, name)
            minimum = 1 if name == "phase_steps" else 0
            if isinstance(value, int) and not minimum <= value <= maxima.get(name, MAX_COUNT):
                raise ValueError(f"{name} is out of range")


def _best_weights(
    arm: Arm, weights: Snapshot, measured: dict[str, Any], values: Tensor, *, may_be_empty: bool
) -> BestWeights:
    """Best weights from a checkpoint, with their values on the dev examples, (n,).

    With `may_be_empty` both may be missing: before the first switch there are none to go back to.
    """
    examples = 0 if may_be_empty and not weights and not values.numel() else len(arm.corpus.dev)
    if values.shape != (examples,) or values.dtype != torch.float64:
        raise ValueError("the values of the dev examples do not fit")
    return BestWeights(weights, stored_measured(measured), values.numpy())


def load_state(arm: Arm, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    """Load the state that `arm_state` returned into `arm`.

    Raises:
        KeyError, TypeError, ValueError, RuntimeError, msgspec.ValidationError: the state does not
            fit this arm.
    """

    def tensors_of(kind: str) -> Snapshot:
        device = arm.model.device
        return {
            name.removeprefix(kind + "/"): t.to(device)
            for name, t in tensors.items()
            if name.startswith(kind + "/")
        }

    progress = msgspec.convert(meta["progress"], ArmProgress)
    growth = msgspec.convert(meta["growth"], GrowthState)
    _check_counters(arm, progress, growth)
    arm.restore(tensors_of("now"))
    # The progress tells which parameters learn. Starting the phase resets counters of it, so it is
    # read once more.
    arm.progress = msgspec.convert(meta["progress"], ArmProgress)
    arm.start_phase()
    arm.progress = msgspec.convert(meta["progress"], ArmProgress)
    arm.set_keep_weight(arm.progress.keep_weight)
    if arm.negatives is not None:
        arm.negatives.load(tensors["negatives"])
    arm.covariances = {name: Covariances(t) for name, t in tensors_of("covariances").items()}
    arm.growth = growth
    arm.best, arm.before_switch = (
        _best_weights(
            arm,
            tensors_of(kind),
            meta[kind],
            tensors[f"cosines/{kind}"],
            may_be_empty=kind == "before",
        )
        for kind in ("best", "before")
    )
    if meta["fresh_switch"]:
        arm.before_switch = arm.best
    if arm.optimizer is not None:
        trained = arm.trained()
        for name, value in tensors.items():
            if name.startswith("optimizer/"):
                _, key, owner = name.split("/", 2)
                if value.dtype != torch.float32 or value.shape not in ((), trained[owner].shape):
                    raise ValueError(f"{name} does not fit")
                arm.optimizer.state[trained[owner]][key] = value.to(
                    "cpu"
                    if key == "step" and arm.hardware.device.type == "cpu"
                    else arm.model.device
                )
    torch.set_rng_state(tensors["random/cpu"])
    if "random/cuda" in tensors and arm.hardware.device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random/cuda"])
