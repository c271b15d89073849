"""Linear units as a part of the layer that they stand on.

For a layer y = W x + b with K units, d = (I - C)⁻¹ (U x + β) if the units are linear, and so

    W' = W + Tᵀ (I - C)⁻¹ U        b' = b + Tᵀ (I - C)⁻¹ β

with U (K, in) the incoming weights, β (K,) the thresholds, C (K, K) the cascade weights below the
diagonal and T (K, out) the gains.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Floats", "cascade_matrix", "fold"]

Floats = npt.NDArray[np.float32]


def cascade_matrix(stored: Floats | None, threshold: Floats) -> Floats:
    """Cascade weights as a matrix (K, K, ...) with zeros on and above the diagonal.

    `stored` (K (K - 1) / 2, ...) has those below it, row by row; None stands for zeros. `threshold`
    is (K, ...), where ... is empty, or (out,) for full dendrites.
    """
    count = len(threshold)
    matrix = np.zeros((count, *threshold.shape), np.float32)
    if stored is not None:
        matrix[np.tril_indices(count, -1)] = stored
    return matrix


def fold(
    weight: Floats, bias: Floats, incoming: Floats, threshold: Floats, cascade: Floats, gain: Floats
) -> tuple[Floats, Floats]:
    """The `weight` (out, in) and `bias` (out,) of a layer with its linear units folded in.

    Units: `incoming` (K, in), `threshold` (K,), `cascade` (K, K), `gain` (K, out). Full dendrites:
    (K, out, in), (K, out), (K, K, out), (K, out). Computed in float64, rounded once to float32.
    """
    wide = [a.astype(np.float64) for a in (incoming, threshold, cascade, gain)]
    incoming64, threshold64, cascade64, gain64 = wide
    count = len(gain64)
    if incoming64.ndim == 3:
        # Each neuron has its own units: the same formula, once for each of them.
        by_neuron = np.eye(count) - np.moveaxis(cascade64, 2, 0)
        shares = np.linalg.solve(np.swapaxes(by_neuron, 1, 2), gain64.T[:, :, None])[:, :, 0]
        added = np.einsum("ok,koi->oi", shares, incoming64)
        shift = np.einsum("ok,ko->o", shares, threshold64)
    else:
        shares = np.linalg.solve((np.eye(count) - cascade64).T, gain64).T
        added, shift = shares @ incoming64, shares @ threshold64
    return (
        (weight.astype(np.float64) + added).astype(np.float32),
        (bias.astype(np.float64) + shift).astype(np.float32),
    )
