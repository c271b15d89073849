"""Adaptive sharpness-aware minimisation: a step's gradient is taken where the loss is worst nearby.

From the weights w, with gradient g, the step first climbs to w + e, |e| bounded in the metric of
T = |w| + `FLOOR`, so that a weight moves in proportion to its size:

    e = radius · T² g / ‖T g‖

and then descends from w with the gradient at w + e. Minima that are flat in this sense generalise
better than sharp ones. Sources: Foret et al., arXiv 2010.01412; Kwon et al., arXiv 2102.11600.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from nexus_engine.model.dropout import MaskTape

__all__ = ["FLOOR", "climb", "sharp_gradients"]

FLOOR = 0.01
"""Added to each weight's size, so that gains, which start at zero, move too."""


Held = list[tuple[nn.Parameter, Tensor]]
"""Parameters, each with a copy of what it was."""


@torch.no_grad()
def climb(parameters: Sequence[nn.Parameter], radius: float) -> Held:
    """Move `parameters`, of any shapes, to where the loss is worst within `radius`, above 0.

    Their gradients must be there; parameters without one stay, and are not in what is returned.
    Nothing is raised: where a gradient is not finite, neither is what it moves, until it is undone.
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
def _come_back(before: Held) -> None:
    for parameter, held in before:
        parameter.copy_(held)


def sharp_gradients(
    compute: Callable[[], Tensor], parameters: Sequence[nn.Parameter], radius: float
) -> Tensor:
    """Leave in `parameters` the gradients for a step; the loss at the weights, a scalar.

    `compute` renews the gradients and returns the loss. With `radius` 0 it is called once;
    otherwise twice, both times with the same dropout masks: with fresh ones the gain is halved
    (measured, docs/recipes.md). What `compute` raises is passed on, the weights as they were.
    """
    if not radius:
        return compute()
    tape = MaskTape()
    with tape.recording():
        loss = compute()
    before = climb(parameters, radius)
    try:
        with tape.replaying():
            compute()
    finally:
        _come_back(before)
    return loss
