"""The library's tensors as a plain snapshot, so that nothing later needs perforatedai.

Its forward, as measured in version 3.2.9: d_k = f(layer_k(x) + Σ_{j<k} C_k[j] ⊙ d_j) and
y = main(x) + Σ_k T[k] ⊙ d_k, T the last entry of `dendrites_to_top`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from nexus_engine.errors import ModelError

__all__ = ["plain_snapshot"]

MAIN = "adapter.main_module."
LAYERS = "adapter.dendrite_module.layers."
CASCADE = "adapter.dendrite_module.dendrites_to_dendrites."
TOP = "adapter.dendrites_to_top."


def _numbered(tensors: Mapping[str, Tensor], prefix: str) -> dict[int, Tensor]:
    """`prefix`N entries by their number."""
    found = {}
    for name, tensor in tensors.items():
        match = re.fullmatch(re.escape(prefix) + r"(\d+)", name)
        if match:
            found[int(match[1])] = tensor
    return found


def plain_snapshot(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A snapshot (see `arm.Snapshot`) of a model whose `adapter` the library grew on.

    `tensors` are those of the library's module, by its own names; encoder tensors pass through.
    Full dendrites and our units are told apart by what their layers hold.

    Raises:
        ModelError: they are not what this version of the library leaves.
    """
    found = {name: t for name, t in tensors.items() if name.startswith("encoder.")}
    try:
        for leaf in ("weight", "bias"):
            found[f"adapter.{leaf}"] = tensors[MAIN + leaf]
        top = _numbered(tensors, TOP)
        if not top:
            return found
        gain = top[max(top)]
        count = gain.shape[0]
        full = f"{LAYERS}0.weight" in tensors
        names = ("weight", "bias") if full else ("incoming", "threshold")
        incoming, threshold = (
            torch.stack([tensors[f"{LAYERS}{k}.{name}"] for k in range(count)]) for name in names
        )
        between = _numbered(tensors, CASCADE)
        if full:
            cascade = [between[k] for k in range(1, count)]
        else:
            if any(bool((weight != 0).any()) for weight in between.values()):
                raise ModelError("perforatedai: its own cascade was trained beside our units'")
            cascade = [tensors[f"{LAYERS}{k}.cascade"] for k in range(1, count)]
    except KeyError as error:
        raise ModelError(
            f"perforatedai: its model lacks {error}; version 3.2.9 was tested"
        ) from None
    found.update(
        {"adapter.incoming": incoming, "adapter.threshold": threshold, "adapter.gain": gain}
    )
    if cascade:
        found["adapter.cascade"] = torch.cat(cascade)
    return {name: tensor.detach().clone() for name, tensor in found.items()}
