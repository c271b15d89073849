"""Self-attention of short sentences, on groups of like length, with its gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nexus_engine.fast.dropout import DropoutPool
from nexus_engine.fast.layout import Group

__all__ = ["attend"]


def _spread(rows: Tensor, group: Group) -> Tensor:
    """The group's rows (tokens, width) in its layout, (n · l, width), empty places zero."""
    part = rows[group.start : group.stop]
    if group.slots is None:
        return part
    laid = rows.new_zeros(group.sentences * group.longest, rows.shape[1])
    return laid.index_copy_(0, group.slots, part)


def _gather(laid: Tensor, group: Group, into: Tensor) -> None:
    """The inverse of `_spread`: write the real places of (n · l, width) into the rows `into`."""
    part = into[group.start : group.stop]
    if group.slots is None:
        part.copy_(laid)
    else:
        torch.index_select(laid, 0, group.slots, out=part)


class _Attend(torch.autograd.Function):
    """Saved per group: query, key and value by head, the weights, and these after dropout."""

    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        groups: tuple[Group, ...],
        heads: int,
        pool: DropoutPool | None,
        values_only: bool,
    ) -> Tensor:
        width = rows.shape[1] // 3
        scale = (width // heads) ** -0.5
        mixed = rows.new_empty(rows.shape[0], width)
        kept: list[Tensor] = []
        multipliers: list[Tensor | None] = []
        keep = rows.requires_grad
        for group in groups:
            n, longest = group.sentences, group.longest
            parts = _spread(rows, group).view(n, longest, 3, heads, width // heads)
            by_head = parts.permute(2, 0, 3, 1, 4).reshape(3, n * heads, longest, -1)
            query, key, value = by_head
            scores = torch.bmm(query, key.transpose(1, 2)).view(n, heads, longest, longest)
            if group.mask is None:
                scores = scores.float().mul_(scale)
            else:
                scores = torch.add(group.mask, scores, alpha=scale)
            weights = scores.softmax(-1)
            multiplier = None
            if pool is not None:
                multiplier = pool.take(weights.numel()).view(weights.shape)
                used = torch.empty_like(weights, dtype=rows.dtype)
                torch.mul(weights, multiplier, out=used)
            else:
                used = weights.to(rows.dtype)
            used = used.view(n * heads, longest, longest)
            out = torch.bmm(used, value).view(n, heads, longest, -1)
            _gather(out.transpose(1, 2).reshape(n * longest, width), group, mixed)
            if keep:
                kept += [by_head, weights, used]
                multipliers.append(multiplier)
        ctx.save_for_backward(*kept)
        ctx.multipliers = multipliers
        ctx.groups, ctx.scale, ctx.values_only = groups, scale, values_only
        return mixed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradient = gradients[0]
        width = gradient.shape[1]
        found = gradient.new_empty(gradient.shape[0], 3 * width)
        saved = ctx.saved_tensors
        for i, group in enumerate(ctx.groups):
            by_head, weights, used = saved[3 * i : 3 * i + 3]
            query, key, value = by_head
            n, heads, longest = weights.shape[:3]
            laid = _spread(gradient, group).view(n, longest, heads, -1).transpose(1, 2)
            mixed = laid.reshape(n * heads, longest, -1)
            d_parts = torch.zeros_like(by_head) if ctx.values_only else torch.empty_like(by_head)
            torch.bmm(used.transpose(1, 2), mixed, out=d_parts[2])
            if not ctx.values_only:
                d_used = torch.bmm(mixed, value.transpose(1, 2)).view(weights.shape)
                multiplier = ctx.multipliers[i]
                d_weights = d_used.float() if multiplier is None else _times(d_used, multiplier)
                d_scores = torch._softmax_backward_data(d_weights, weights, -1, torch.float32)
                d_raw = torch.empty_like(used)
                torch.mul(d_scores.view(d_raw.shape), ctx.scale, out=d_raw)
                torch.bmm(d_raw, key, out=d_parts[0])
                torch.bmm(d_raw.transpose(1, 2), query, out=d_parts[1])
            by_token = d_parts.view(3, n, heads, longest, -1).permute(1, 3, 0, 2, 4)
            _gather(by_token.reshape(n * longest, 3 * width), group, found)
        return found, None, None, None, None


def _times(values: Tensor, multiplier: Tensor) -> Tensor:
    """Their product in float32."""
    out = torch.empty_like(values, dtype=torch.float32)
    return torch.mul(values, multiplier, out=out)


def attend(
    rows: Tensor,
    groups: tuple[Group, ...],
    heads: int,
    pool: DropoutPool | None,
    *,
    values_only: bool = False,
) -> Tensor:
    """Multi-head self-attention: query, key and value side by side, (t, 3 · width), to (t, width).

    `values_only` says that the gradient of queries and keys is not wanted: it is given as zero.
    """
    mixed: Tensor = _Attend.apply(  # type: ignore[no-untyped-call]
        rows, groups, heads, pool, values_only
    )
    return mixed
