"""Dropout, residual sum and layer normalisation as one operation, and its gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["add_norm"]


class _AddNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        branch: Tensor,
        weight: Tensor,
        bias: Tensor,
        epsilon: float,
        multiplier: Tensor | None,
    ) -> Tensor:
        added = rows + branch if multiplier is None else torch.addcmul(rows, branch, multiplier)
        shape = [rows.shape[-1]]
        normed, mean, scale = torch.native_layer_norm(added, shape, weight, bias, epsilon)
        ctx.save_for_backward(added, mean, scale, weight, bias)
        ctx.multiplier = multiplier
        return normed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        added, mean, scale, weight, bias = ctx.saved_tensors
        need_rows, need_branch, need_weight, need_bias = ctx.needs_input_grad[:4]
        inner, d_weight, d_bias = torch.ops.aten.native_layer_norm_backward(
            gradients[0].contiguous(),
            added,
            [added.shape[-1]],
            mean,
            scale,
            weight,
            bias,
            [True, need_weight, need_bias],
        )
        branch = None
        if need_branch:
            branch = inner if ctx.multiplier is None else inner * ctx.multiplier
        return inner if need_rows else None, branch, d_weight, d_bias, None, None


def add_norm(
    rows: Tensor,
    branch: Tensor,
    norm: torch.nn.LayerNorm,
    multiplier: Tensor | None,
) -> Tensor:
    """norm(rows + multiplier · branch), all (t, width); None as multiplier means no dropout."""
    if multiplier is not None:
        multiplier = multiplier.view(branch.shape)
    normed: Tensor = _AddNorm.apply(  # type: ignore[no-untyped-call]
        rows, branch, norm.weight, norm.bias, norm.eps, multiplier
    )
    return normed
