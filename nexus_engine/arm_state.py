"""An arm's state as a checkpoint holds it: tensors by name, and plain numbers."""

from __future__ import annotations

from typing import Any

import msgspec
import torch
from torch import Tensor

from nexus_engine.arm import Arm
from nexus_engine.arm_spec import Progress
from nexus_engine.correlation_rule import Covariances
from nexus_engine.evaluation import Measured
from nexus_engine.growth import GrowthState
from nexus_engine.snapshots import Kept, Snapshot

__all__ = ["load_state", "state_of"]


def _fresh_switch(arm: Arm) -> bool:
    return arm.before_switch.weights is arm.best.weights


def state_of(arm: Arm) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Everything that a bit-exact resume needs: tensors by name, and plain numbers."""
    tensors: dict[str, Tensor] = {}
    for kind, held in (
        ("now", arm.snapshot()),
        ("best", arm.best.weights),
        # Just after a switch the best is what the switch started from: stored once.
        ("before", {} if _fresh_switch(arm) else arm.before_switch.weights),
    ):
        tensors.update({f"{kind}/{name}": tensor for name, tensor in held.items()})
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
    tensors["cosines/best"] = torch.from_numpy(arm.best.cosines)
    tensors["cosines/before"] = torch.from_numpy(arm.before_switch.cosines.copy())
    meta = {
        "fresh_switch": _fresh_switch(arm),
        "best": msgspec.to_builtins(arm.best.measured),
        "before": msgspec.to_builtins(arm.before_switch.measured),
        "progress": msgspec.to_builtins(arm.progress),
        "growth": msgspec.to_builtins(arm.growth),
    }
    return tensors, meta


def load_state(arm: Arm, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    """Make `arm` the one whose state this is."""

    def part(kind: str) -> Snapshot:
        device = arm.model.device
        return {
            name.removeprefix(kind + "/"): t.to(device)
            for name, t in tensors.items()
            if name.startswith(kind + "/")
        }

    arm.restore(part("now"))
    # The phase decides what learns; beginning it again resets counters, so they come last.
    arm.progress = msgspec.convert(meta["progress"], Progress)
    arm.start_phase()
    arm.progress = msgspec.convert(meta["progress"], Progress)
    arm.covariances = {name: Covariances(t) for name, t in part("covariances").items()}
    arm.growth = msgspec.convert(meta["growth"], GrowthState)
    arm.best, arm.before_switch = (
        Kept(
            part(kind),
            msgspec.convert(meta[kind], Measured),
            tensors[f"cosines/{kind}"].numpy(),
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
                arm.optimizer.state[trained[owner]][key] = value.to(
                    "cpu"
                    if key == "step" and arm.hardware.device.type == "cpu"
                    else arm.model.device
                )
    torch.set_rng_state(tensors["random/cpu"])
    if "random/cuda" in tensors and arm.hardware.device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random/cuda"])
