"""A phase, from one switch to the next: its optimizer, length and learning rates."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from nexus_engine.config import Settings
from nexus_engine.model.dendrites import UNIT_PARAMETERS
from nexus_engine.training.arm.spec import ArmProgress, ArmSpec
from nexus_engine.training.steps.adamw import AdamW
from nexus_engine.training.steps.trained_parameters import leaf

WEAK_RATE = 0.5
"""The factor on the learning rates while weak pairs come before questions."""
WARMUP_SHARE = 0.1
"""Of a phase's steps: the rate rises to its peak in them, with the schedule `warmup`."""

__all__ = ["make_optimizer", "phase_epochs", "rate_factor"]


def make_optimizer(
    learning: Mapping[str, nn.Parameter], settings: Settings, layers: int, *, correlating: bool
) -> AdamW | None:
    """An optimizer of `learning` with a group for each peak rate; None if nothing learns.

    `layers` is the encoder's number of layers. Weight decay is off for correlation steps, which
    must not change the older units' weights.
    """
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in learning.items():
        groups.setdefault(peak_rate(name, settings, layers), []).append(parameter)
    if not groups:
        return None
    decay = 0.0 if correlating else settings.weight_decay
    return AdamW(
        [
            {"params": p, "lr": rate, "base_lr": rate, "weight_decay": decay}
            for rate, p in groups.items()
        ]
    )


def peak_rate(name: str, settings: Settings, layers: int) -> float:
    """The peak learning rate of a parameter, by its name in the model."""
    if leaf(name) in UNIT_PARAMETERS:
        return settings.dendrite_lr
    if name.startswith("encoder."):
        parts = name.split(".")
        depth = int(parts[2]) + 1 if parts[1] == "layers" else 0
        return float(settings.lr * settings.layer_decay ** (layers - depth))
    return settings.lr


def phase_epochs(spec: ArmSpec, done: int) -> int:
    """Epochs, at least 1, of the learning-rate schedule of a phase that starts after `done`."""
    end = spec.epochs
    if spec.settings.schedule == "phase":
        later = [e for e in spec.plan.switch_epochs or () if e > done]
        end = min(later, default=end)
    return max(1, end - done)


def rate_factor(settings: Settings, progress: ArmProgress, weak_epochs: int = 0) -> float:
    """The factor on the peak learning rates in the next step, 0..1.

    It is smaller in the first `weak_epochs`.
    """
    share = progress.phase_step / progress.phase_steps
    weak = WEAK_RATE if progress.epoch <= weak_epochs else 1.0
    if settings.schedule == "warmup":
        rise = WARMUP_SHARE * progress.phase_steps
        up, down = (progress.phase_step + 1) / rise, (1.0 - share) / (1.0 - WARMUP_SHARE)
        return weak * max(0.0, min(up, down))
    return weak * (1.0 if settings.schedule == "constant" else max(0.0, 1.0 - share))
