"""Self-attention of short sentences, on groups of like length, with its gradient.

Everything between the rows that come in and those that go out is float32: attention is a hundredth
of the arithmetic here, softmax needs float32 anyway, and oneDNN, where bfloat16 would go, sets up
a kernel for every new shape, which costs more than such a product (0.3 ms, measured) and is kept.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nexus_engine.fast.dropout import DropoutPool
from nexus_engine.fast.layout import Group, Layout

__all__ = ["attend"]

BOUND = 80.0
"""Scores are cut to ±this, so that softmax needs no maximum: exp cannot overflow in float32. The
model's own stay below 30."""
VECTOR = 16
"""torch's softmax over rows shorter than a vector register runs element by element, ten times
slower than its parts (measured); those are taken apart here."""


class _Attend(torch.autograd.Function):
    """Saved: the rows that came in, and for each group the attention weights."""

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
        laid = _in_places(rows, layout)
        mixed = rows.new_empty(laid.shape[0], width)
        kept: list[Tensor] = [rows] if rows.requires_grad else []
        multipliers: list[Tensor | None] = []
        for group in layout.groups:
            n, longest = group.sentences, group.longest
            query, key, value = _by_head(laid, group, heads)
            scores = torch.bmm(query, key.transpose(1, 2)).mul_(deep**-0.5)
            scores = scores.view(n, heads, longest, longest)
            if group.mask is not None:
                scores.add_(group.mask)
            weights = _softmax(scores).view(n * heads, longest, longest)
            multiplier = None if pool is None else pool.take(weights.numel()).view(weights.shape)
            used = weights if multiplier is None else weights * multiplier
            out = torch.bmm(used, value).view(n, heads, longest, deep)
            into = mixed[group.start : group.stop].view(n, longest, heads, deep)
            into.copy_(out.transpose(1, 2))
            if rows.requires_grad:
                kept.append(weights.to(rows.dtype))
                multipliers.append(multiplier)
        ctx.save_for_backward(*kept)
        ctx.multipliers, ctx.layout, ctx.heads = multipliers, layout, heads
        ctx.values_only = values_only
        return mixed if layout.slots is None else mixed.index_select(0, layout.slots)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradient, layout, heads = gradients[0], ctx.layout, ctx.heads
        rows, *kept = ctx.saved_tensors
        laid = _in_places(rows, layout)
        width = gradient.shape[1]
        deep = width // heads
        if layout.gradient_places is not None:
            # Empty places take the row of zeros that is put behind the last token.
            padded = torch.cat([gradient, gradient.new_zeros(1, width)])
            gradient = padded.index_select(0, layout.gradient_places)
        found = gradient.new_empty(gradient.shape[0], 3 * width)
        for i, group in enumerate(layout.groups):
            query, key, value = by_head = _by_head(laid, group, heads)
            weights = kept[i].float()
            n, longest = group.sentences, group.longest
            parts = gradient[group.start : group.stop].view(n, longest, heads, deep)
            mixed = gradient.new_empty(n, heads, longest, deep, dtype=torch.float32)
            mixed = mixed.copy_(parts.transpose(1, 2)).view(n * heads, longest, deep)
            multiplier = ctx.multipliers[i]
            used = weights if multiplier is None else weights * multiplier
            d_parts = torch.zeros_like(by_head) if ctx.values_only else torch.empty_like(by_head)
            torch.bmm(used.transpose(1, 2), mixed, out=d_parts[2])
            if not ctx.values_only:
                d_weights = torch.bmm(mixed, value.transpose(1, 2))
                if multiplier is not None:
                    d_weights.mul_(multiplier)
                d_scores = _softmax_back(d_weights, weights).mul_(deep**-0.5)
                torch.bmm(d_scores, key, out=d_parts[0])
                torch.bmm(d_scores.transpose(1, 2), query, out=d_parts[1])
            into = found[group.start : group.stop].view(n, longest, 3, heads, deep)
            into.copy_(d_parts.view(3, n, heads, longest, deep).permute(1, 3, 0, 2, 4))
        if layout.slots is not None:
            found = found.index_select(0, layout.slots)
        found[layout.tokens :] = 0
        return found, None, None, None, None


def _in_places(rows: Tensor, layout: Layout) -> Tensor:
    return rows if layout.places is None else rows.index_select(0, layout.places)


def _by_head(laid: Tensor, group: Group, heads: int) -> Tensor:
    """Query, key and value of a group, float32: (3, n · heads, l, width / heads)."""
    n, longest = group.sentences, group.longest
    parts = laid[group.start : group.stop].view(n, longest, 3, heads, -1)
    found = laid.new_empty(3, n, heads, longest, parts.shape[-1], dtype=torch.float32)
    return found.copy_(parts.permute(2, 0, 3, 1, 4)).view(3, n * heads, longest, -1)


def _softmax(scores: Tensor) -> Tensor:
    """Softmax over the last dimension; may write over `scores`, float32."""
    if scores.shape[-1] >= VECTOR:
        return scores.softmax(-1)
    powers = scores.clamp_(-BOUND, BOUND).exp_()
    return powers.div_(powers.sum(-1, keepdim=True))


def _softmax_back(gradient: Tensor, weights: Tensor) -> Tensor:
    """The gradient of softmax's output as that of its input, both float32."""
    if weights.shape[-1] >= VECTOR:
        return torch._softmax_backward_data(gradient, weights, -1, torch.float32)
    common = (gradient * weights).sum(-1, keepdim=True)
    return (gradient - common).mul_(weights)


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
