"""Linear layers with dendrites as one product, with the gradients that are wanted.

A grown layer is y = [x, d] [W, Tᵀ]ᵀ + b: the units' outputs d are further input columns and their
gains T further weight columns, so that one product does the layer forward and one its whole
gradient. Layers that see the same input (query, key, value) are stacked to one product as well.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nexus_engine.dendrites import DendriteLinear
from nexus_engine.fast.products import linear, linear_back, outer

__all__ = ["LinearBlock"]


class LinearBlock:
    """Sites that see the same input, in compute format `dtype`: weight (out, in + K), bias (out,).

    K counts the units of all sites, out their neurons. The copy follows the parameters: `refresh`
    renews what has changed since the last call.
    """

    def __init__(self, sites: tuple[DendriteLinear, ...], dtype: torch.dtype) -> None:
        self.sites = sites
        self.dtype = dtype
        self.inputs = sites[0].inputs
        self.weight = torch.empty(0)
        self.bias = torch.empty(0)
        self._copied: tuple[object, ...] = ()
        self._units: tuple[int, ...] = ()
        self._neurons: list[slice] = []
        start = 0
        for site in sites:
            self._neurons.append(slice(start, start + site.outputs))
            start += site.outputs

    @torch.inference_mode(False)
    @torch.no_grad()
    def refresh(self) -> None:
        """Make weight and bias what the sites' parameters are now."""
        self._units = tuple(site.units for site in self.sites)
        columns = self.inputs + sum(self._units)
        if self.dtype == torch.float32 and len(self.sites) == 1 and not self._units[0]:
            site = self.sites[0]
            self.weight, self.bias = site.weight.detach(), site.bias.detach()
            self._copied = ()
            return
        now = tuple((id(p), p._version) for s in self.sites for p in (s.weight, s.bias))
        if not self._copied or self.weight.shape[1] != columns:
            neurons = self._neurons[-1].stop
            self.weight = torch.zeros(neurons, columns, dtype=self.dtype)
            self.bias = torch.empty(neurons, dtype=self.dtype)
            self._copied = ()
        if now != self._copied:
            for site, rows in zip(self.sites, self._neurons, strict=True):
                self.weight[rows, : self.inputs] = site.weight
                self.bias[rows] = site.bias
            self._copied = now
        for site, rows, own in self._grown():
            assert site.gain is not None
            self.weight[rows, own] = site.gain.t().to(self.dtype)

    def _grown(self) -> list[tuple[DendriteLinear, slice, slice]]:
        """Sites with units: their neurons' rows and their units' columns in `weight`."""
        found: list[tuple[DendriteLinear, slice, slice]] = []
        start = self.inputs
        for site, rows, count in zip(self.sites, self._neurons, self._units, strict=True):
            if count:
                found.append((site, rows, slice(start, start + count)))
                start += count
        return found

    def __call__(self, rows: Tensor) -> Tensor:
        """(t, in) in `dtype` to (t, out); gradients reach rows and the sites' parameters."""
        responses = [self._respond(site, rows) for site, _, _ in self._grown()]
        d = torch.cat(responses, 1) if len(responses) > 1 else responses[0] if responses else None
        parameters: list[Tensor] = []
        for site in self.sites:
            parameters += [site.weight, site.bias]
        parameters += [site.gain for site, _, _ in self._grown() if site.gain is not None]
        found: Tensor = _Grown.apply(rows, d, self, *parameters)  # type: ignore[no-untyped-call]
        return found

    def _respond(self, site: DendriteLinear, rows: Tensor) -> Tensor:
        """The outputs of a site's units, (t, K)."""
        assert site.incoming is not None
        assert site.threshold is not None
        drive = torch.nn.functional.linear(
            rows, site.incoming.to(self.dtype), site.threshold.to(self.dtype)
        )
        return site.respond(drive.float()).to(self.dtype)


class _Grown(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, d: Tensor | None, block: LinearBlock, *parameters: Tensor
    ) -> Tensor:
        weights_wanted = any(p.requires_grad for p in parameters[: 2 * len(block.sites)])
        ctx.save_for_backward(rows if weights_wanted else None, d)
        ctx.block = block
        joined = rows if d is None else torch.cat([rows, d], 1)
        return linear(joined, block.weight, block.bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        gradient = gradients[0]
        block: LinearBlock = ctx.block
        rows, d = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        d_rows = d_units = None
        if wanted[0]:
            joined = linear_back(gradient, block.weight)
            d_rows = joined[:, : block.inputs]
            d_units = joined[:, block.inputs :]
        elif wanted[1]:
            d_units = linear_back(gradient, block.weight[:, block.inputs :])
        found: list[Tensor | None] = []
        d_weight = outer(gradient, rows).float() if rows is not None else None
        d_bias = gradient.sum(0).float() if rows is not None else None
        for i, columns in enumerate(block._neurons):
            found.append(d_weight[columns] if d_weight is not None and wanted[3 + 2 * i] else None)
            found.append(d_bias[columns] if d_bias is not None and wanted[4 + 2 * i] else None)
        for j, (_, neurons, columns) in enumerate(block._grown()):
            d_gain = None
            if wanted[3 + 2 * len(block.sites) + j]:
                own = d[:, columns.start - block.inputs : columns.stop - block.inputs]
                d_gain = outer(own, gradient[:, neurons]).float()
            found.append(d_gain)
        return d_rows, d_units if wanted[1] else None, None, *found
