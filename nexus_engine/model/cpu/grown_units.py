"""A layer's dendrite units, forward and backward: one unit at a time, all tokens at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from nexus_engine.model.dendrites import NONLINEARITIES, DendriteLinear

__all__ = ["Units"]

Slope = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From an output's gradient, the input z and the output d of a nonlinearity, z's gradient."""

SLOPES: dict[str, Slope] = {
    "gelu": lambda g, z, _d: torch.ops.aten.gelu_backward(g, z),
    "sigmoid": lambda g, _z, d: torch.ops.aten.sigmoid_backward(g, d),
    "tanh": lambda g, _z, d: torch.ops.aten.tanh_backward(g, d),
    "relu": lambda g, z, _d: torch.ops.aten.threshold_backward(g, z, 0),
    "linear": lambda g, _z, _d: g,
}


class UnitGradients(NamedTuple):
    """Gradients of `incoming` (K, in), `threshold` (K,), `cascade`; `drive` (K, t) is that of z."""

    incoming: Tensor
    threshold: Tensor
    cascade: Tensor | None
    drive: Tensor


class Units:
    """The units of `site` on rows (t, in). `responses` (K, t) float32 are their outputs d."""

    def __init__(self, site: DendriteLinear, rows: Tensor) -> None:
        assert site.incoming is not None
        assert site.threshold is not None
        self.incoming = site.incoming.to(rows.dtype)
        self._function = NONLINEARITIES[site.nonlinearity]
        self._slope = SLOPES[site.nonlinearity]
        self._weights: list[Tensor] = []
        self._inputs = torch.mm(self.incoming, rows.t()).float().add_(site.threshold[:, None])
        if site.cascade is None:
            self.responses = self._function(self._inputs)
            return
        # The weights c_k0 .. c_k(k-1) of each unit k > 0.
        self._weights = list(torch.split(site.cascade, list(range(1, site.units))))
        self.responses = torch.empty_like(self._inputs)
        self.responses[0] = self._function(self._inputs[0])
        for k, weights in enumerate(self._weights, 1):
            self._inputs[k].addmv_(self.responses[:k].t(), weights)
            self.responses[k] = self._function(self._inputs[k])

    def back(self, gradient: Tensor, rows: Tensor) -> UnitGradients:
        """The units' gradients from `gradient`, that of the responses (K, t) float32."""
        cascade: Tensor | None = None
        if self._weights:
            gradient = gradient.clone()
            drive = torch.empty_like(gradient)
            parts: list[Tensor] = []
            for k in range(len(gradient) - 1, -1, -1):
                drive[k] = self._slope(gradient[k], self._inputs[k], self.responses[k])
                if k:
                    gradient[:k].addr_(self._weights[k - 1], drive[k])
                    parts.append(self.responses[:k].mv(drive[k]))
            cascade = torch.cat(parts[::-1])
        else:
            drive = self._slope(gradient, self._inputs, self.responses)
        narrow = drive.to(rows.dtype)
        return UnitGradients(torch.mm(narrow, rows).float(), drive.sum(1), cascade, narrow)
