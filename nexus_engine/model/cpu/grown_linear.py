"""Linear layers with dendrites as one product, and the gradients that are needed.

A grown layer is y = [x, d] [W, Tᵀ]ᵀ + b: the units' outputs d are further input columns and their
gains T further weight columns. One product computes the layer, one the gradient of all its inputs.
Layers with the same input (query, key, value) are stacked into one product as well.
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

COLUMN_MULTIPLE = 4
"""The units' columns are padded to a multiple of this, so that a second set of two units reuses the
kernels that oneDNN built for the first: some 150 of 0.7 MB each."""


class LinearBlock:
    """A copy in `dtype` of sites with the same input: weight (out, in + K), bias (out,).

    K is the number of units of all sites, padded to a multiple of `COLUMN_MULTIPLE`; out is the
    number of their neurons. `refresh` copies the parameters that changed since the last call.
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
        """Copy the sites' parameters to `weight` and `bias`, as far as they changed."""
        units = tuple(site.units for site in self.sites)
        if units != self._units:
            self._units, self._copied = units, ()
        columns = self.inputs + sum(units) + self._padding()
        versions = tuple((id(p), p._version) for s in self.sites for p in (s.weight, s.bias))
        if not self._copied:
            neurons = self.neurons[-1].stop
            # Stored as (inputs, neurons): a float32 evaluation takes 5 to 10 % less time.
            self.weight = torch.zeros(columns, neurons, dtype=self.dtype).t()
            self.bias = torch.empty(neurons, dtype=self.dtype)
        if versions != self._copied:
            for site, rows in zip(self.sites, self.neurons, strict=True):
                self.weight[rows, : self.inputs] = site.weight
                self.bias[rows] = site.bias
            self._copied = versions
        for site, rows, unit_columns in self.grown():
            assert site.gain is not None
            self.weight[rows, unit_columns] = site.gain.t().to(self.dtype)

    def _padding(self) -> int:
        """The number of zero columns that pad the units' columns to a `COLUMN_MULTIPLE`."""
        return -sum(self._units) % COLUMN_MULTIPLE

    def grown(self) -> list[tuple[DendriteLinear, slice, slice]]:
        """Sites with units, with their neurons' rows and their units' columns in `weight`."""
        grown: list[tuple[DendriteLinear, slice, slice]] = []
        start = self.inputs
        for site, rows, count in zip(self.sites, self.neurons, self._units, strict=True):
            if count:
                grown.append((site, rows, slice(start, start + count)))
                start += count
        return grown

    def _parameters(self) -> list[Tensor | None]:
        parameters: list[Tensor | None] = []
        for site in self.sites:
            parameters += [site.weight, site.bias]
        for site, _, _ in self.grown():
            parameters += [site.incoming, site.threshold, site.cascade, site.gain]
        return parameters

    def join(self, rows: Tensor) -> tuple[Tensor, list[Units]]:
        """Rows (t, in) with the units' outputs as further columns; also the units."""
        units = [Units(site, rows) for site, _, _ in self.grown()]
        if not units:
            return rows, units
        parts = [rows, *(u.responses.t().to(rows.dtype) for u in units)]
        if self._padding():
            parts.append(rows.new_zeros(rows.shape[0], self._padding()))
        return torch.cat(parts, 1), units

    def gelu(self, rows: Tensor) -> Tensor:
        """The outputs through GELU, in one operation if no gradient is needed."""
        trained = rows.requires_grad or any(
            p is not None and p.requires_grad for p in self._parameters()
        )
        if trained and torch.is_grad_enabled():
            return F.gelu(self(rows))
        return linear(self.join(rows)[0], self.weight, self.bias, gelu=True)

    def __call__(self, rows: Tensor) -> Tensor:
        """The sites' outputs: (t, in) in `dtype` to (t, out). Differentiable."""
        parameters = self._parameters()
        outputs: Tensor = _Grown.apply(rows, self, *parameters)  # type: ignore[no-untyped-call]
        return outputs


class _Grown(torch.autograd.Function):
    """Inputs: rows, the block, weight and bias of every site, unit parameters of grown sites."""

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
        needed = ctx.needs_input_grad
        d_parameters = _plain_gradients(block, gradient, rows, needed[2:])
        d_rows = d_units = None
        if needed[0]:
            d_joined = linear_back(gradient, block.weight)
            d_rows = d_joined[:, : block.inputs]
            d_units = d_joined[:, block.inputs :]
        elif ctx.units:
            # Copied, since oneDNN takes 0.2 s for columns in the middle of longer rows.
            d_units = linear_back(gradient, block.weight[:, block.inputs :].contiguous())
        for units, (_, neurons, columns) in zip(ctx.units, block.grown(), strict=True):
            assert d_units is not None
            d_responses = d_units[:, columns.start - block.inputs : columns.stop - block.inputs]
            d_gain = outer(units.responses.t().to(gradient.dtype), gradient[:, neurons]).float()
            unit_gradients = units.back(d_responses.t().float(), rows)
            d_parameters += [
                unit_gradients.incoming,
                unit_gradients.threshold,
                unit_gradients.cascade,
                d_gain,
            ]
            if d_rows is not None:
                d_rows = torch.addmm(d_rows, unit_gradients.drive.t(), units.incoming)
        if d_rows is not None:
            d_rows = d_rows.contiguous()
        return d_rows, None, *d_parameters


def _plain_gradients(
    block: LinearBlock, gradient: Tensor, rows: Tensor | None, needed: tuple[bool, ...]
) -> list[Tensor | None]:
    """Gradients of weight and bias of every site; None if not needed."""
    sites = len(block.sites)
    if rows is None or not any(needed[: 2 * sites]):
        return [None] * (2 * sites)
    weight, bias = outer(gradient, rows).float(), gradient.sum(0).float()
    gradients: list[Tensor | None] = []
    for i, neurons in enumerate(block.neurons):
        gradients.append(weight[neurons] if needed[2 * i] else None)
        gradients.append(bias[neurons] if needed[2 * i + 1] else None)
    return gradients
