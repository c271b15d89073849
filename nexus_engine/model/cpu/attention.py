"""Self-attention of short sentences in bins of few widths, with its gradient.

Every product is a batch of small square ones of few shapes. In bfloat16 oneDNN makes them; softmax
is made in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nexus_engine.model.cpu.layout import Bins, Layout
from nexus_engine.model.cpu.mask_pool import DropoutPool

__all__ = ["attend"]


class _Attend(torch.autograd.Function):
    """Saved: the rows that came in, and for each width of bins the attention weights."""

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
        deep = width // heads
        mixed = rows.new_empty(rows.shape[0], width)
        kept: list[Tensor] = [rows] if rows.requires_grad else []
        multipliers: list[Tensor | None] = []
        for bins in layout.bins:
            query, key, value = _by_head(rows, bins, heads, 3)
            scores = query.new_empty(len(query), bins.width, bins.width)
            _product(query, key.transpose(1, 2), deep**-0.5, scores)
            scores = scores.float().view(bins.number, heads, bins.width, bins.width)
            if bins.mask is not None:
                scores.add_(bins.mask)
            weights = scores.softmax(-1).to(rows.dtype).view(-1, bins.width, bins.width)
            multiplier = None
            if pool is not None:
                multiplier = pool.take(weights.numel()).view(weights.shape)
            used = weights if multiplier is None else weights * multiplier
            _into_rows(torch.bmm(used, value), mixed, bins, heads)
            if rows.requires_grad:
                kept.append(weights)
                multipliers.append(multiplier)
        ctx.save_for_backward(*kept)
        ctx.multipliers, ctx.layout, ctx.heads = multipliers, layout, heads
        ctx.values_only = values_only
        return mixed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradient, layout, heads = gradients[0], ctx.layout, ctx.heads
        rows, *kept = ctx.saved_tensors
        deep = gradient.shape[1] // heads
        found = torch.empty_like(rows)
        for bins, weights, multiplier in zip(layout.bins, kept, ctx.multipliers, strict=True):
            (mixed,) = _by_head(gradient, bins, heads, 1)
            used = weights if multiplier is None else weights * multiplier
            parts = mixed.new_empty(3, *mixed.shape)
            torch.bmm(used.transpose(1, 2), mixed, out=parts[2])
            if ctx.values_only:
                parts[:2] = 0
            else:
                query, key, value = _by_head(rows, bins, heads, 3)
                d_weights = torch.bmm(mixed, value.transpose(1, 2))
                if multiplier is not None:
                    d_weights.mul_(multiplier)
                d_scores = torch._softmax_backward_data(d_weights, weights, -1, weights.dtype)
                _product(d_scores, key, deep**-0.5, parts[0])
                _product(d_scores.transpose(1, 2), query, deep**-0.5, parts[1])
            _into_rows(parts, found, bins, heads)
        return found, None, None, None, None


def _product(left: Tensor, right: Tensor, scale: float, into: Tensor) -> None:
    """Write scale · left right, for each of a batch, to `into`."""
    torch.baddbmm(into, left, right, beta=0, alpha=scale, out=into)


def _by_head(rows: Tensor, bins: Bins, heads: int, parts: int) -> Tensor:
    """The bins' rows, (t, parts · width), as (parts, count · heads, bin's width, width / heads)."""
    laid = rows[bins.start : bins.stop].view(bins.number, bins.width, parts, heads, -1)
    deep = laid.shape[-1]
    return laid.permute(2, 0, 3, 1, 4).reshape(parts, bins.number * heads, bins.width, deep)


def _into_rows(by_head: Tensor, rows: Tensor, bins: Bins, heads: int) -> None:
    """Undo `_by_head`, into `rows`."""
    parts = rows.shape[1] // (heads * by_head.shape[-1])
    laid = rows[bins.start : bins.stop].view(bins.number, bins.width, parts, heads, -1)
    laid.copy_(by_head.view(parts, bins.number, heads, bins.width, -1).permute(1, 3, 0, 2, 4))


def attend(
    rows: Tensor,
    layout: Layout,
    heads: int,
    pool: DropoutPool | None,
    *,
    values_only: bool = False,
) -> Tensor:
    """Multi-head self-attention: query, key and value side by side, (t, 3 · width), to (t, width).

    `values_only` says that the gradient of queries and keys is not wanted: it is given as zero.
    """
    mixed: Tensor = _Attend.apply(  # type: ignore[no-untyped-call]
        rows, layout, heads, pool, values_only
    )
    return mixed
