"""Dropout, residual sum and layer normalisation as one operation, and its gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nexus_engine.model.cpu.mask_pool import Mask

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
        mask: Mask | None,
    ) -> Tensor:
        if mask is None:
            added = rows + branch
        else:
            added = torch.addcmul(rows, branch, mask.multipliers().view(branch.shape))
        shape = [rows.shape[-1]]
        normed, mean, scale = torch.native_layer_norm(added, shape, weight, bias, epsilon)
        ctx.save_for_backward(added, mean, scale, weight, bias)
        ctx.mask = mask
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
            branch = inner
            if ctx.mask is not None:
                branch = inner * ctx.mask.multipliers().view(inner.shape)
        return inner if need_rows else None, branch, d_weight, d_bias, None, None


def add_norm(
    rows: Tensor,
    branch: Tensor,
    norm: torch.nn.LayerNorm,
    mask: Mask | None,
) -> Tensor:
    """norm(rows + mask · branch), all (t, width); None as mask means no dropout."""
    normed: Tensor = _AddNorm.apply(  # type: ignore[no-untyped-call]
        rows, branch, norm.weight, norm.bias, norm.eps, mask
    )
    return normed
