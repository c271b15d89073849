"""Full dendrites, as the published project grows them: each has a weight row for every neuron.

For neurons y = W x + b, dendrite k computes:

    d_k = f(W_k x + b_k + Σ_{j<k} c_kj ⊙ d_j)
    y   = W x + b + Σ_k t_k ⊙ d_k

It costs in · out + out + out parameters, and `out` cascade weights per earlier dendrite. The
library perforatedai grows the same on a linear layer; its outputs and this formula differed by 0.0
(measured, version 3.2.9).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["full_activations", "full_parameters", "full_start"]

START_DEVIATION = 0.01
"""Standard deviation of initial weights and thresholds; the published library's default."""


def full_parameters(inputs: int, outputs: int, existing: int, units: int = 1) -> int:
    """The number of parameters of `units` more full dendrites on a layer that has `existing`."""
    return units * (inputs * outputs + 2 * outputs) + outputs * sum(
        range(existing, existing + units)
    )


def full_start(
    inputs: int, outputs: int, existing: int, units: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """The initial values of `units` more full dendrites, by parameter name.

    `incoming` (units, out, in), `threshold` (units, out), `cascade` (pairs of units, out), `gain`
    (units, out). Cascade weights and gains are zero.
    """
    return {
        "incoming": torch.randn(units, outputs, inputs, generator=generator) * START_DEVIATION,
        "threshold": torch.randn(units, outputs, generator=generator) * START_DEVIATION,
        "cascade": torch.zeros(sum(range(existing, existing + units)), outputs),
        "gain": torch.zeros(units, outputs),
    }


def full_activations(
    rows: Tensor,
    incoming: Tensor,
    threshold: Tensor,
    cascade: Tensor | None,
    function: Callable[[Tensor], Tensor],
) -> Tensor:
    """The dendrites' outputs d, (t, K, out), for input rows (t, in)."""
    drive = torch.einsum("ti,koi->tko", rows, incoming) + threshold
    outputs: list[Tensor] = []
    for k in range(incoming.shape[0]):
        column = drive[:, k]
        for j, earlier in enumerate(outputs):
            assert cascade is not None
            column = column + cascade[k * (k - 1) // 2 + j] * earlier
        outputs.append(function(column))
    return torch.stack(outputs, 1)
