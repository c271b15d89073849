"""Matrix products on a CPU, by the library that is fastest at each.

On AMD's processors the sgemm that PyTorch calls (MKL) runs at less than half the speed of oneDNN's
(224 against 500 GFLOP/s on two cores with AVX-512, products of this encoder's shapes), and oneDNN
ships in the same wheel, as the operator that torch.compile uses. In bfloat16 both ways lead to
oneDNN, but there `F.linear` first writes the bias to every row of the output.
"""

from __future__ import annotations

import functools
import platform

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["linear", "linear_back", "outer"]


@functools.cache
def _onednn() -> bool:
    """Whether oneDNN's linear operator is there, and gives what it should."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    try:
        rows, weight = torch.eye(3, 4), torch.arange(8.0).view(2, 4)
        found = torch.ops.mkldnn._linear_pointwise(rows, weight, None, "none", [], "")
        curved = torch.ops.mkldnn._linear_pointwise(rows, weight, None, "gelu", [], "none")
        right = rows @ weight.t()
        return torch.equal(found, right) and torch.allclose(curved, F.gelu(right), atol=1e-5)
    except (AttributeError, RuntimeError, NotImplementedError):
        return False


def linear(
    rows: Tensor, weight: Tensor, bias: Tensor | None = None, *, gelu: bool = False
) -> Tensor:
    """The product x Wᵀ + b, through GELU if asked: (t, in), (out, in) and (out,) to (t, out).

    Has no gradient.
    """
    if rows.device.type == "cpu" and len(rows) and _onednn():
        name, way = ("gelu", "none") if gelu else ("none", "")
        product: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, name, [], way)
        return product
    found = F.linear(rows, weight, bias)
    return F.gelu(found) if gelu else found


def linear_back(gradient: Tensor, weight: Tensor) -> Tensor:
    """The product dy W: a gradient of a linear layer's output (t, out) to its input (t, in)."""
    if gradient.dtype == torch.float32:
        return linear(gradient, weight.t())
    return gradient @ weight


def outer(left: Tensor, right: Tensor) -> Tensor:
    """The product leftᵀ right, summed over rows: (t, a) and (t, b) to (a, b)."""
    if left.dtype == torch.float32 and right.is_contiguous():  # else oneDNN is very slow
        return linear(left.t().contiguous(), right.t())
    return left.t() @ right
