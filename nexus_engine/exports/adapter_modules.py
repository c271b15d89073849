"""An adapter as Dense modules of sentence-transformers: a linear layer and an activation each.

A linear adapter is one module. One with K units behind gelu or relu takes K + 1, without code of
its own: f(z) - f(-z) = z for both functions, so that a module passes a number z on as f(z) and
f(-z) while it computes the next unit of the cascade.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nexus_engine.errors import ModelError
from nexus_engine.exports.plain_model import Adapter, Floats, PlainModel, SiteUnits

__all__ = ["Dense", "dense_modules"]

IDENTITY = "torch.nn.modules.linear.Identity"
ACTIVATIONS = {
    "gelu": "torch.nn.modules.activation.GELU",
    "relu": "torch.nn.modules.activation.ReLU",
}
"""Names that sentence-transformers loads without `trust_remote_code`."""
Wide = npt.NDArray[np.float64]


class Dense(NamedTuple):
    """f(W x + b): `weight` (out, in), `bias` (out,), and the class of f by its full name."""

    weight: Floats
    bias: Floats
    activation: str

    @property
    def configuration(self) -> dict[str, Any]:
        """The module's `config.json`."""
        outputs, inputs = self.weight.shape
        return {
            "in_features": inputs,
            "out_features": outputs,
            "bias": True,
            "activation_function": self.activation,
        }


def dense_modules(model: PlainModel) -> list[Dense]:
    """The modules that compute the adapter of `model`; none without an adapter.

    Raises:
        ModelError: it has units that no such modules can compute.
    """
    if model.adapter is None:
        return []
    units = next((units for units in model.units if units.site == "adapter"), None)
    if units is None:
        return [Dense(*model.adapter, IDENTITY)]
    if units.full or units.nonlinearity not in ACTIVATIONS:
        kind = "full dendrites" if units.full else f"units behind {units.nonlinearity}"
        raise ModelError(
            f"--format st: the adapter has {kind}, which no Dense module computes; use --format "
            "onnx, whose output sentence_embedding includes them, or train with --recipe best"
        )
    return _chain(model.adapter, units)


def _chain(adapter: Adapter, units: SiteUnits) -> list[Dense]:
    """A module for each unit, then one that sums the layer's output.

    Between modules, a row holds f(z) and f(-z) for each number z of x (in) and of the units d.
    """
    inputs, count = adapter.weight.shape[1], len(units.gain)
    incoming, threshold = units.incoming.astype(np.float64), units.threshold.astype(np.float64)
    cascade, gain = units.cascade.astype(np.float64), units.gain.astype(np.float64)
    activation = ACTIVATIONS[units.nonlinearity]
    modules: list[Dense] = []
    read = np.eye(inputs)  # from a module's input row to [x, d_1 … d_k-1]
    for k in range(count):
        known = inputs + k
        drive = np.concatenate([incoming[k], cascade[k, :k]])
        weight = np.vstack([drive, np.eye(known), -np.eye(known)]) @ read
        bias = np.zeros(1 + 2 * known)
        bias[0] = threshold[k]
        modules.append(_rounded(weight, bias, activation))
        # The unit comes out as f(drive) itself: it needs no second number.
        read = np.zeros((known + 1, 1 + 2 * known))
        read[:known, 1 : 1 + known] = np.eye(known)
        read[:known, 1 + known :] = -np.eye(known)
        read[known, 0] = 1.0
    final = np.hstack([adapter.weight.astype(np.float64), gain.T]) @ read
    modules.append(_rounded(final, adapter.bias.astype(np.float64), IDENTITY))
    return modules


def _rounded(weight: Wide, bias: Wide, activation: str) -> Dense:
    return Dense(weight.astype(np.float32), bias.astype(np.float32), activation)
