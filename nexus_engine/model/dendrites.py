"""Dendrites on a linear layer: grown with no effect, trained, kept or removed exactly.

For neurons y = W x + b, unit k of the layer sees the same input and reaches every neuron through a
gain of the neuron's own:

    d_k = f(u_k · x + β_k + Σ_{j<k} c_kj d_j)
    y   = W x + b + Σ_k t_k d_k

The cascade (earlier units feed later ones) is cascade correlation's: Fahlman and Lebiere, 1990.
Gains and cascade weights start at zero, so a new set leaves the layer's outputs as they were, to
the last bit. A unit costs in + 1 + out parameters and one cascade weight per earlier unit.
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
"""`linear` is there for experiments: a unit is then a LoRA of rank 1."""


UNIT_PARAMETERS = ("incoming", "threshold", "cascade", "gain")
"""Names of a layer's dendrite parameters, in the order of the formula."""


def unit_parameters(inputs: int, outputs: int, existing: int, units: int = 1) -> int:
    """Parameters that `units` more units cost on a layer that already has `existing`."""
    cascade = sum(range(existing, existing + units))
    return units * (inputs + 1 + outputs) + cascade


class DendriteLinear(nn.Module):
    """A linear layer on which sets of dendrite units can grow.

    Without units it is `nn.Linear`. With K units it holds `incoming` (K, in), `threshold` (K,),
    `cascade` (K (K - 1) / 2,), row by row below the diagonal, and `gain` (K, out). Where its
    dendrites are full (see `full_dendrites`), `incoming` is (K, out, in), and `threshold` and
    `cascade` have a last dimension of out.
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
        self._clear()

    def _clear(self) -> None:
        for name in UNIT_PARAMETERS:
            self.register_parameter(name, None)

    @property
    def inputs(self) -> int:
        """Width of the rows that come in."""
        return int(self.weight.shape[1])

    @property
    def outputs(self) -> int:
        """Number of neurons."""
        return int(self.weight.shape[0])

    @property
    def units(self) -> int:
        """Number of dendrite units grown."""
        return 0 if self.incoming is None else int(self.incoming.shape[0])

    @property
    def full(self) -> bool:
        """Whether the dendrites grown are full ones: a row of weights for every neuron."""
        return self.incoming is not None and self.incoming.dim() == 3

    def dendrite_parameters(self) -> Iterator[nn.Parameter]:
        """The units' parameters, those that exist."""
        for name in UNIT_PARAMETERS:
            parameter = getattr(self, name)
            if parameter is not None:
                yield parameter

    @torch.no_grad()
    def grow(self, units: int, generator: torch.Generator, *, full: bool = False) -> int:
        """Add `units` units that change no output yet; the number of parameters added.

        All units of a layer are of one kind: `full` dendrites, or units whose row is shared.

        Incoming weights are drawn from a normal distribution of deviation 1 / sqrt(in), on
        the CPU, so that a seed means the same on every device; all else starts at zero.
        """
        old = self.units
        width = self.inputs
        if full:
            fresh = full_start(width, self.outputs, old, units, generator)
        else:
            fresh = {
                "incoming": torch.randn(units, width, generator=generator) * width**-0.5,
                "threshold": torch.zeros(units),
                "cascade": torch.zeros(sum(range(old, old + units))),
                "gain": torch.zeros(units, self.outputs),
            }
        for name, drawn in fresh.items():
            before, tensor = getattr(self, name), drawn.to(self.weight)
            joined = tensor if before is None else torch.cat([before.detach(), tensor])
            # A layer's first unit has nothing to cascade from: no empty parameter is kept.
            self.register_parameter(name, nn.Parameter(joined) if joined.numel() else None)
        cost = full_parameters if full else unit_parameters
        return cost(width, self.outputs, old, units)

    def fits(self, tensors: Mapping[str, Tensor]) -> bool:
        """Whether `tensors` hold, by name, the parameters of one unit or more of this layer."""
        first = tensors.get("threshold")
        units = 0 if first is None or not first.dim() else int(first.shape[0])
        full = "incoming" in tensors and tensors["incoming"].dim() == 3
        each = (self.outputs,) if full else ()
        wanted: dict[str, tuple[int, ...]] = {
            "incoming": (units, *each, self.inputs),
            "threshold": (units, *each),
            "gain": (units, self.outputs),
        }
        if units > 1:
            wanted["cascade"] = (units * (units - 1) // 2, *each)
        found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        same_type = all(tensor.dtype == self.weight.dtype for tensor in tensors.values())
        return units > 0 and found == wanted and same_type

    def load_units(self, tensors: Mapping[str, Tensor]) -> None:
        """Become the units whose parameters `tensors` holds by name (none: no units at all).

        Copies; a unit count that differs from the present one is what rolls a set back.
        """
        for name in UNIT_PARAMETERS:
            held = tensors.get(name)
            fresh = (
                None
                if held is None
                else nn.Parameter(held.detach().to(self.weight.device, copy=True))
            )
            self.register_parameter(name, fresh)

    def activations(self, rows: Tensor) -> Tensor:
        """The units' outputs d, (t, K) or full (t, K, out), for rows (t, in); K is at least 1."""
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
        """(t, in) to (t, out)."""
        plain = F.linear(rows, self.weight, self.bias)
        if self.gain is None:
            return plain
        d = self.activations(rows)
        if self.full:
            return plain + (d * self.gain).sum(1)
        if torch.is_autocast_enabled(rows.device.type):
            return plain + d @ self.gain  # autocast does not cover the fused form
        return torch.addmm(plain, d, self.gain)
