"""Dendrites on a linear layer: grown without effect, trained, then kept or removed exactly.

For neurons y = W x + b, unit k of the layer sees the same input and adds to every neuron's output,
weighted by a gain of that neuron:

    d_k = f(u_k · x + β_k + Σ_{j<k} c_kj d_j)
    y   = W x + b + Σ_k t_k d_k

The cascade, in which earlier units feed later ones, comes from cascade correlation (Fahlman and
Lebiere, 1990). Gains and cascade weights start at zero, so a new set does not change a bit of the
layer's outputs. A unit costs in + 1 + out parameters and one cascade weight per earlier unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nexus_engine.model.full_dendrites import full_activations, full_parameters, full_start

__all__ = ["NONLINEARITIES", "UNIT_PARAMETERS", "DendriteLinear", "unit_parameters"]

NONLINEARITIES: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "linear": lambda z: z,
}
"""With `linear`, a unit is a LoRA adapter of rank 1."""

UNIT_PARAMETERS = ("incoming", "threshold", "cascade", "gain")
"""The names of a layer's dendrite parameters, in the order of the formula."""


def unit_parameters(inputs: int, outputs: int, existing: int, units: int = 1) -> int:
    """The number of parameters of `units` more units on a layer that has `existing` units."""
    cascade = sum(range(existing, existing + units))
    return units * (inputs + 1 + outputs) + cascade


class DendriteLinear(nn.Module):
    """A linear layer on which sets of dendrite units can grow.

    Without units it equals `nn.Linear`. With K units it has `incoming` (K, in), `threshold` (K,),
    `cascade` (K (K - 1) / 2,), row by row below the diagonal, and `gain` (K, out). With full
    dendrites (see `full_dendrites`), `incoming` is (K, out, in), and `threshold` and `cascade` have
    a last dimension of out.
    """

    incoming: nn.Parameter | None
    threshold: nn.Parameter | None
    cascade: nn.Parameter | None
    gain: nn.Parameter | None

    def __init__(self, inputs: int, outputs: int, nonlinearity: str = "gelu") -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.nonlinearity = nonlinearity
        for name in UNIT_PARAMETERS:
            self.register_parameter(name, None)

    @property
    def inputs(self) -> int:
        """Width of the input rows."""
        return int(self.weight.shape[1])

    @property
    def outputs(self) -> int:
        """Number of neurons."""
        return int(self.weight.shape[0])

    @property
    def units(self) -> int:
        """Number of dendrite units."""
        return 0 if self.incoming is None else int(self.incoming.shape[0])

    @property
    def full(self) -> bool:
        """Whether the dendrites are full: each has a weight row for every neuron."""
        return self.incoming is not None and self.incoming.dim() == 3

    def dendrite_parameters(self) -> Iterator[nn.Parameter]:
        """The parameters of the units; none if there are no units."""
        for name in UNIT_PARAMETERS:
            parameter = getattr(self, name)
            if parameter is not None:
                yield parameter

    @torch.no_grad()
    def grow(self, units: int, generator: torch.Generator, *, full: bool = False) -> int:
        """Add `units` units that do not change any output yet; return the parameters added.

        All units of a layer have one form: `full` dendrites, or units with a shared weight row.

        Incoming weights are drawn from a normal distribution with standard deviation 1 / sqrt(in),
        on the CPU, so that a seed gives the same numbers on every device. All others start at zero.
        """
        existing = self.units
        width = self.inputs
        if full:
            start = full_start(width, self.outputs, existing, units, generator)
        else:
            start = {
                "incoming": torch.randn(units, width, generator=generator) * width**-0.5,
                "threshold": torch.zeros(units),
                "cascade": torch.zeros(sum(range(existing, existing + units))),
                "gain": torch.zeros(units, self.outputs),
            }
        for name, values in start.items():
            present, added = getattr(self, name), values.to(self.weight)
            joined = added if present is None else torch.cat([present.detach(), added])
            # The first unit has no cascade weights; no empty parameter is registered.
            self.register_parameter(name, nn.Parameter(joined) if joined.numel() else None)
        count_parameters = full_parameters if full else unit_parameters
        return count_parameters(width, self.outputs, existing, units)

    def fits(self, tensors: Mapping[str, Tensor]) -> bool:
        """Whether `tensors` are, by name, the parameters of one or more units of this layer."""
        threshold = tensors.get("threshold")
        units = 0 if threshold is None or not threshold.dim() else int(threshold.shape[0])
        full = "incoming" in tensors and tensors["incoming"].dim() == 3
        per_neuron = (self.outputs,) if full else ()
        expected: dict[str, tuple[int, ...]] = {
            "incoming": (units, *per_neuron, self.inputs),
            "threshold": (units, *per_neuron),
            "gain": (units, self.outputs),
        }
        if units > 1:
            expected["cascade"] = (units * (units - 1) // 2, *per_neuron)
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        same_type = all(tensor.dtype == self.weight.dtype for tensor in tensors.values())
        return units > 0 and shapes == expected and same_type

    def load_units(self, tensors: Mapping[str, Tensor]) -> None:
        """Replace all units by those in `tensors`, by parameter name; empty removes all units.

        The tensors are copied. Loading the parameters from before a switch rolls its set back.
        """
        for name in UNIT_PARAMETERS:
            tensor = tensors.get(name)
            parameter = None
            if tensor is not None:
                parameter = nn.Parameter(tensor.detach().to(self.weight.device, copy=True))
            self.register_parameter(name, parameter)

    def activations(self, rows: Tensor) -> Tensor:
        """The units' outputs d, (t, K), or (t, K, out) if full, for rows (t, in); K >= 1."""
        assert self.incoming is not None
        function = NONLINEARITIES[self.nonlinearity]
        if self.full:
            assert self.threshold is not None
            return full_activations(rows, self.incoming, self.threshold, self.cascade, function)
        drive = F.linear(rows, self.incoming, self.threshold)
        if self.cascade is None:
            return function(drive)
        columns: list[Tensor] = []
        weights = iter(torch.split(self.cascade, list(range(1, self.units))))
        for k in range(self.units):
            column = drive[:, k]
            if columns:
                column = column + torch.stack(columns, 1).mv(next(weights).to(drive.dtype))
            columns.append(function(column))
        return torch.stack(columns, 1)

    def forward(self, rows: Tensor) -> Tensor:
        """The layer's outputs with its units: (t, in) to (t, out)."""
        plain = F.linear(rows, self.weight, self.bias)
        if self.gain is None:
            return plain
        d = self.activations(rows)
        if self.full:
            return plain + (d * self.gain).sum(1)
        if torch.is_autocast_enabled(rows.device.type):
            return plain + d @ self.gain  # autocast does not cover the fused form
        return torch.addmm(plain, d, self.gain)
