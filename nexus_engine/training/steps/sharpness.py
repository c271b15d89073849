"""Adaptive sharpness-aware minimisation: a step takes its gradient where the loss is worst nearby.

From the weights w with gradient g, the step first perturbs them to w + e. The length of e is
bounded in the metric of T = |w| + `FLOOR`, so that a weight moves in proportion to its size:

    e = radius · T² g / ‖T g‖

The step then descends from w with the gradient at w + e. Minima that are flat in this sense
generalise better than sharp ones. Sources: Foret et al., arXiv 2010.01412; Kwon et al., arXiv
2102.11600.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from nexus_engine.model.dropout import MaskTape

__all__ = ["FLOOR", "perturb", "sharp_gradients"]

FLOOR = 0.01
"""Added to each weight's size, so that gains, which start at zero, move too."""

Copies = list[tuple[nn.Parameter, Tensor]]
"""Parameters, each with a copy of its value."""


@torch.no_grad()
def perturb(parameters: Sequence[nn.Parameter], radius: float) -> Copies:
    """Move `parameters` to the worst loss within `radius`, above 0; returns their former values.

    Uses the present gradients; a parameter without one stays and is not returned. A gradient that
    is not finite raises nothing: its parameter is not finite until it is restored.
    """
    learning = [(p, p.grad) for p in parameters if p.grad is not None]
    before = [(p, p.detach().clone()) for p, _ in learning]
    sizes = [p.detach().abs() + FLOOR for p, _ in learning]
    scaled = [size * gradient for size, (_, gradient) in zip(sizes, learning, strict=True)]
    norm = torch.stack([part.square().sum() for part in scaled]).sum().sqrt()
    share = radius / norm.clamp_min(1e-12)
    for (parameter, _), size, part in zip(learning, sizes, scaled, strict=True):
        parameter.add_(size * part * share)
    return before


@torch.no_grad()
def _restore(before: Copies) -> None:
    for parameter, value in before:
        parameter.copy_(value)


def sharp_gradients(
    compute: Callable[[], Tensor], parameters: Sequence[nn.Parameter], radius: float
) -> Tensor:
    """Set the gradients of `parameters` for a step; returns the loss at the weights, a scalar.

    `compute` renews the gradients and returns the loss. With `radius` 0 it is called once, else
    twice with the same dropout masks: fresh masks halve the gain (measured, docs/recipes.md). If
    `compute` raises, the weights are restored.
    """
    if not radius:
        return compute()
    tape = MaskTape()
    with tape.recording():
        loss = compute()
    before = perturb(parameters, radius)
    try:
        with tape.replaying():
            compute()
    finally:
        _restore(before)
    return loss
