"""Our dendrite unit as a module for perforatedai's creation hook.

The library adds Σ t ⊙ f(z) to a layer's outputs, where z is the output of the created module. A
module whose output is the same for every neuron makes that our unit. The library's cascade has a
weight for each neuron, ours one for the layer; so the module has its own cascade, and the library's
stays at zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

__all__ = ["SharedUnit"]


class SharedUnit(nn.Module):
    """Unit number `earlier` of a layer: `incoming` (in,), `threshold` (), `cascade` (earlier,)."""

    cascade: nn.Parameter | None
    _earlier: tuple[SharedUnit, ...]

    def __init__(
        self, inputs: int, outputs: int, earlier: int, function: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.outputs = outputs
        self.function = function
        self.incoming = nn.Parameter(torch.zeros(inputs))
        self.threshold = nn.Parameter(torch.zeros(()))
        self.register_parameter("cascade", nn.Parameter(torch.zeros(earlier)) if earlier else None)
        self.bind(())

    def bind(self, earlier: Sequence[SharedUnit]) -> None:
        """Set the layer's earlier units; call it again after each copy that the library makes."""
        # Not as submodules: they belong to the layer.
        self.__dict__["_earlier"] = tuple(earlier)

    def drive(self, rows: Tensor) -> Tensor:
        """(t, in) to (t,): the input of the nonlinearity."""
        total = rows @ self.incoming + self.threshold
        if self.cascade is not None:
            for weight, unit in zip(self.cascade, self._earlier, strict=True):
                total = total + weight * self.function(unit.drive(rows))
        return total

    def forward(self, rows: Tensor) -> Tensor:
        """(t, in) to (t, out), all columns equal."""
        return self.drive(rows)[:, None].expand(-1, self.outputs)
