"""Full dendrites: a whole layer of inputs for each dendrite, as the published project grows them.

For neurons y = W x + b, dendrite k has a weight row for every neuron:

    d_k = f(W_k x + b_k + Σ_{j<k} c_kj ⊙ d_j)
    y   = W x + b + Σ_k t_k ⊙ d_k

so that it costs in · out + out + out parameters, and `out` cascade weights per earlier dendrite.
This is what perforatedai grows on a linear layer; its formula re-computed here matched its outputs
to 0.0 (measured, version 3.2.9).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["full_activations", "full_parameters", "full_start"]

START_DEVIATION = 0.01
"""Of incoming weights and thresholds; the published library's default."""


def full_parameters(inputs: int, outputs: int, existing: int, units: int = 1) -> int:
    """Parameters that `units` more full dendrites cost on a layer that has `existing`."""
    return units * (inputs * outputs + 2 * outputs) + outputs * sum(
        range(existing, existing + units)
    )


def full_start(
    inputs: int, outputs: int, existing: int, units: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """What `units` more full dendrites start from, by parameter name; gains are zero.

    `incoming` (units, out, in), `threshold` (units, out), `cascade` (pairs, out), `gain`
    (units, out).
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
    found: list[Tensor] = []
    for k in range(incoming.shape[0]):
        column = drive[:, k]
        for j, earlier in enumerate(found):
            assert cascade is not None
            column = column + cascade[k * (k - 1) // 2 + j] * earlier
        found.append(function(column))
    return torch.stack(found, 1)
