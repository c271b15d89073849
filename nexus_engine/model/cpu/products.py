"""Matrix products on a CPU, each by the fastest library.

On AMD processors, the sgemm that PyTorch calls (MKL) runs at less than half the speed of oneDNN's:
224 against 500 GFLOP/s on two cores with AVX-512, for products of this encoder's shapes. oneDNN is
in the same wheel, as the operator that torch.compile uses. In bfloat16 PyTorch calls oneDNN too,
but `F.linear` first writes the bias to every row of the output.
"""

from __future__ import annotations

import functools
import platform

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["has_onednn", "linear", "linear_back", "outer"]


@functools.cache
def has_onednn(dtype: torch.dtype = torch.float32) -> bool:
    """Whether oneDNN's linear operator exists and computes correctly in `dtype`.

    Without AVX-512 it has none for bfloat16.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    try:
        rows, weight = torch.eye(3, 4, dtype=dtype), torch.arange(8.0).view(2, 4).to(dtype)
        product = torch.ops.mkldnn._linear_pointwise(rows, weight, None, "none", [], "")
        with_gelu = torch.ops.mkldnn._linear_pointwise(rows, weight, None, "gelu", [], "none")
        expected = rows @ weight.t()
        error = 1e-5 if dtype == torch.float32 else 0.05
        correct = torch.allclose(with_gelu, F.gelu(expected), atol=error)
        return torch.equal(product, expected) and correct
    except (AttributeError, RuntimeError, NotImplementedError):
        return False


def linear(
    rows: Tensor, weight: Tensor, bias: Tensor | None = None, *, gelu: bool = False
) -> Tensor:
    """The product x Wᵀ + b, and GELU of it if `gelu`: (t, in), (out, in) and (out,) to (t, out).

    Not differentiable.
    """
    if rows.device.type == "cpu" and len(rows) and has_onednn(rows.dtype):
        name, algorithm = ("gelu", "none") if gelu else ("none", "")
        product: Tensor = torch.ops.mkldnn._linear_pointwise(
            rows, weight, bias, name, [], algorithm
        )
        return product
    product = F.linear(rows, weight, bias)
    return F.gelu(product) if gelu else product


def linear_back(gradient: Tensor, weight: Tensor) -> Tensor:
    """The product dy W: the gradient of a layer's output (t, out) to that of its input (t, in)."""
    if gradient.dtype == torch.float32:
        return linear(gradient, weight.t())
    return gradient @ weight


def outer(left: Tensor, right: Tensor) -> Tensor:
    """The product leftᵀ right, a sum over rows: (t, a) and (t, b) to (a, b)."""
    if left.dtype == torch.float32 and right.is_contiguous():  # otherwise oneDNN is very slow
        return linear(left.t().contiguous(), right.t())
    return left.t() @ right
