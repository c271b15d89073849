"""Linear layers with dendrites as one product, with the gradients that are wanted.

A grown layer is y = [x, d] [W, Tᵀ]ᵀ + b: the units' outputs d are further input columns and their
gains T further weight columns, so that one product does the layer forward and one its whole
gradient. Layers that see the same input (query, key, value) are stacked to one product as well.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nexus_engine.model.cpu.grown_units import Units
from nexus_engine.model.cpu.products import linear, linear_back, outer
from nexus_engine.model.dendrites import DendriteLinear

__all__ = ["LinearBlock"]

COLUMNS = 4
"""Units' columns come in multiples of this, so that a second set of two finds the kernels that
oneDNN has made for the first: they take 0.7 MB each, some 150 of them."""


class LinearBlock:
    """Sites that see the same input, in compute format `dtype`: weight (out, in + K), bias (out,).

    K counts the units of all sites, filled up to a multiple of `COLUMNS`; out counts their neurons.
    The copy follows the parameters: `refresh` renews what has changed since the last call.
    """

    def __init__(self, sites: tuple[DendriteLinear, ...], dtype: torch.dtype) -> None:
        self.sites = sites
        self.dtype = dtype
        self.inputs = sites[0].inputs
        self.weight = torch.empty(0)
        self.bias = torch.empty(0)
        self._copied: tuple[object, ...] = ()
        self._units: tuple[int, ...] = ()
        self.neurons: list[slice] = []
        start = 0
        for site in sites:
            self.neurons.append(slice(start, start + site.outputs))
            start += site.outputs

    @torch.inference_mode(False)
    @torch.no_grad()
    def refresh(self) -> None:
        """Make weight and bias what the sites' parameters are now."""
        units = tuple(site.units for site in self.sites)
        if units != self._units:
            self._units, self._copied = units, ()
        columns = self.inputs + sum(units) + self._spare()
        now = tuple((id(p), p._version) for s in self.sites for p in (s.weight, s.bias))
        if not self._copied:
            neurons = self.neurons[-1].stop
            # Inputs by neurons in memory: an evaluation in float32 is then 5 to 10 % shorter.
            self.weight = torch.zeros(columns, neurons, dtype=self.dtype).t()
            self.bias = torch.empty(neurons, dtype=self.dtype)
        if now != self._copied:
            for site, rows in zip(self.sites, self.neurons, strict=True):
                self.weight[rows, : self.inputs] = site.weight
                self.bias[rows] = site.bias
            self._copied = now
        for site, rows, own in self.grown():
            assert site.gain is not None
            self.weight[rows, own] = site.gain.t().to(self.dtype)

    def _spare(self) -> int:
        """Columns of zeros that fill the units' up to a multiple of `COLUMNS`."""
        return -sum(self._units) % COLUMNS

    def grown(self) -> list[tuple[DendriteLinear, slice, slice]]:
        """Sites with units: their neurons' rows and their units' columns in `weight`."""
        found: list[tuple[DendriteLinear, slice, slice]] = []
        start = self.inputs
        for site, rows, count in zip(self.sites, self.neurons, self._units, strict=True):
            if count:
                found.append((site, rows, slice(start, start + count)))
                start += count
        return found

    def _parameters(self) -> list[Tensor | None]:
        found: list[Tensor | None] = []
        for site in self.sites:
            found += [site.weight, site.bias]
        for site, _, _ in self.grown():
            found += [site.incoming, site.threshold, site.cascade, site.gain]
        return found

    def join(self, rows: Tensor) -> tuple[Tensor, list[Units]]:
        """Rows (t, in) with the units' outputs as further columns, and the units."""
        units = [Units(site, rows) for site, _, _ in self.grown()]
        if not units:
            return rows, units
        parts = [rows, *(u.responses.t().to(rows.dtype) for u in units)]
        if self._spare():
            parts.append(rows.new_zeros(rows.shape[0], self._spare()))
        return torch.cat(parts, 1), units

    def gelu(self, rows: Tensor) -> Tensor:
        """The same through GELU: one operation where no gradient is wanted."""
        trained = rows.requires_grad or any(
            p is not None and p.requires_grad for p in self._parameters()
        )
        if trained and torch.is_grad_enabled():
            return F.gelu(self(rows))
        return linear(self.join(rows)[0], self.weight, self.bias, gelu=True)

    def __call__(self, rows: Tensor) -> Tensor:
        """(t, in) in `dtype` to (t, out); gradients reach rows and the sites' parameters."""
        parameters = self._parameters()
        found: Tensor = _Grown.apply(rows, self, *parameters)  # type: ignore[no-untyped-call]
        return found


class _Grown(torch.autograd.Function):
    """Inputs: rows, the block, (weight, bias) of every site, and the units of every grown one."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, block: LinearBlock, *parameters: Tensor | None) -> Tensor:
        joined, units = block.join(rows)
        ctx.keeps_rows = bool(units) or any(p is not None and p.requires_grad for p in parameters)
        ctx.save_for_backward(rows if ctx.keeps_rows else None)
        ctx.block, ctx.units = block, units
        return linear(joined, block.weight, block.bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        gradient = gradients[0]
        block: LinearBlock = ctx.block
        (rows,) = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        found: list[Tensor | None] = _plain_gradients(block, gradient, rows, wanted[2:])
        d_rows = d_units = None
        if wanted[0]:
            joined = linear_back(gradient, block.weight)
            d_rows = joined[:, : block.inputs]
            d_units = joined[:, block.inputs :]
        elif ctx.units:
            # A copy: oneDNN takes 0.2 s for columns in the middle of longer rows.
            d_units = linear_back(gradient, block.weight[:, block.inputs :].contiguous())
        for units, (_, neurons, columns) in zip(ctx.units, block.grown(), strict=True):
            assert d_units is not None
            own = d_units[:, columns.start - block.inputs : columns.stop - block.inputs]
            d_gain = outer(units.responses.t().to(gradient.dtype), gradient[:, neurons]).float()
            back = units.back(own.t().float(), rows)
            found += [back.incoming, back.threshold, back.cascade, d_gain]
            if d_rows is not None:
                d_rows = torch.addmm(d_rows, back.drive.t(), units.incoming)
        if d_rows is not None:
            d_rows = d_rows.contiguous()
        return d_rows, None, *found


def _plain_gradients(
    block: LinearBlock, gradient: Tensor, rows: Tensor | None, wanted: tuple[bool, ...]
) -> list[Tensor | None]:
    """Gradients of (weight, bias) of every site, None where not wanted."""
    sites = len(block.sites)
    if rows is None or not any(wanted[: 2 * sites]):
        return [None] * (2 * sites)
    weight, bias = outer(gradient, rows).float(), gradient.sum(0).float()
    found: list[Tensor | None] = []
    for i, neurons in enumerate(block.neurons):
        found.append(weight[neurons] if wanted[2 * i] else None)
        found.append(bias[neurons] if wanted[2 * i + 1] else None)
    return found
