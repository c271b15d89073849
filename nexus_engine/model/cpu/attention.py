"""Self-attention within bins of few widths, and its gradient.

Every product is a batch of small matrices of few shapes. In bfloat16 oneDNN computes them. torch's
softmax of bfloat16 scores computes in float32 and rounds once, as a softmax of their float32 copies
would, in a sixth of the time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nexus_engine.model.cpu.layout import Bins, Layout
from nexus_engine.model.cpu.mask_pool import DropoutPool, Mask

__all__ = ["attend"]


class _Attend(torch.autograd.Function):
    """Saves the input rows and, for each width of bins, the attention weights."""

    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        layout: Layout,
        heads: int,
        pool: DropoutPool | None,
        values_only: bool,
    ) -> Tensor:
        width = rows.shape[1] // 3
        depth = width // heads
        mixed = rows.new_empty(rows.shape[0], width)
        saved: list[Tensor] = [rows] if rows.requires_grad else []
        masks: list[Mask | None] = []
        for bins in layout.bins:
            query, key, value = _by_head(rows, bins, heads, 3)
            scores = query.new_empty(len(query), bins.width, bins.width)
            _product(query, key.transpose(1, 2), depth**-0.5, scores)
            if bins.mask is not None:
                # Adding 0 or -inf is exact in bfloat16 too.
                split = scores.view(bins.number, heads, bins.width, bins.width)
                split.add_(bins.mask.to(rows.dtype))
            weights = scores.softmax(-1)
            mask = None if pool is None else pool.mark(weights.numel())
            _into_rows(torch.bmm(_masked(weights, mask), value), mixed, bins, heads)
            if rows.requires_grad:
                saved.append(weights)
                masks.append(mask)
        ctx.save_for_backward(*saved)
        ctx.masks, ctx.layout, ctx.heads = masks, layout, heads
        ctx.values_only = values_only
        return mixed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradient, layout, heads = gradients[0], ctx.layout, ctx.heads
        rows, *all_weights = ctx.saved_tensors
        depth = gradient.shape[1] // heads
        d_rows = torch.empty_like(rows)
        per_width = zip(layout.bins, all_weights, ctx.masks, strict=True)
        for bins, weights, mask in per_width:
            (d_mixed,) = _by_head(gradient, bins, heads, 1)
            masked_weights = _masked(weights, mask)
            parts = d_mixed.new_empty(3, *d_mixed.shape)
            torch.bmm(masked_weights.transpose(1, 2), d_mixed, out=parts[2])
            if ctx.values_only:
                parts[:2] = 0
            else:
                query, key, value = _by_head(rows, bins, heads, 3)
                d_weights = torch.bmm(d_mixed, value.transpose(1, 2))
                if mask is not None:
                    mask.times(d_weights, out=d_weights)
                d_scores = torch._softmax_backward_data(d_weights, weights, -1, weights.dtype)
                _product(d_scores, key, depth**-0.5, parts[0])
                _product(d_scores.transpose(1, 2), query, depth**-0.5, parts[1])
            _into_rows(parts, d_rows, bins, heads)
        return d_rows, None, None, None, None


def _masked(weights: Tensor, mask: Mask | None) -> Tensor:
    """The attention weights after dropout."""
    return weights if mask is None else mask.times(weights)


def _product(left: Tensor, right: Tensor, scale: float, out: Tensor) -> None:
    """Write the batched product scale · left right to `out`."""
    torch.baddbmm(out, left, right, beta=0, alpha=scale, out=out)


def _by_head(rows: Tensor, bins: Bins, heads: int, parts: int) -> Tensor:
    """The bins' rows, (t, parts · width), as (parts, number · heads, bin width, width / heads)."""
    split = rows[bins.start : bins.stop].view(bins.number, bins.width, parts, heads, -1)
    depth = split.shape[-1]
    return split.permute(2, 0, 3, 1, 4).reshape(parts, bins.number * heads, bins.width, depth)


def _into_rows(by_head: Tensor, rows: Tensor, bins: Bins, heads: int) -> None:
    """The inverse of `_by_head`: writes to the bins' rows of `rows`."""
    parts = rows.shape[1] // (heads * by_head.shape[-1])
    split = rows[bins.start : bins.stop].view(bins.number, bins.width, parts, heads, -1)
    split.copy_(by_head.view(parts, bins.number, heads, bins.width, -1).permute(1, 3, 0, 2, 4))


def attend(
    rows: Tensor,
    layout: Layout,
    heads: int,
    pool: DropoutPool | None,
    *,
    values_only: bool = False,
) -> Tensor:
    """Multi-head self-attention: query, key and value side by side, (t, 3 · width), to (t, width).

    With `values_only`, the gradients of queries and keys are not needed and are returned as zero.
    """
    mixed: Tensor = _Attend.apply(  # type: ignore[no-untyped-call]
        rows, layout, heads, pool, values_only
    )
    return mixed
