"""The library's tensors as a plain snapshot, so that nothing later needs perforatedai.

Its forward pass, as measured in version 3.2.9: d_k = f(layer_k(x) + Σ_{j<k} C_k[j] ⊙ d_j) and
y = main(x) + Σ_k T[k] ⊙ d_k, where T is the last entry of `dendrites_to_top`.
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
    """The tensors named `prefix` and a number, by that number."""
    by_number = {}
    for name, tensor in tensors.items():
        match = re.fullmatch(re.escape(prefix) + r"(\d+)", name)
        if match:
            by_number[int(match[1])] = tensor
    return by_number


def plain_snapshot(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A `Snapshot` of a model whose `adapter` the library has grown dendrites on.

    `tensors` are those of the library's module, by its own names; encoder tensors are copied
    unchanged. The names in a dendrite's layer tell full dendrites from our units.

    Raises:
        ModelError: the tensors are not those of version 3.2.9.
    """
    snapshot = {name: t for name, t in tensors.items() if name.startswith("encoder.")}
    try:
        for leaf in ("weight", "bias"):
            snapshot[f"adapter.{leaf}"] = tensors[MAIN + leaf]
        gains = _numbered(tensors, TOP)
        if not gains:
            return snapshot
        gain = gains[max(gains)]
        count = gain.shape[0]
        full = f"{LAYERS}0.weight" in tensors
        names = ("weight", "bias") if full else ("incoming", "threshold")
        incoming, threshold = (
            torch.stack([tensors[f"{LAYERS}{k}.{name}"] for k in range(count)]) for name in names
        )
        cascades = _numbered(tensors, CASCADE)
        if full:
            cascade = [cascades[k] for k in range(1, count)]
        else:
            if any(bool((weight != 0).any()) for weight in cascades.values()):
                raise ModelError("perforatedai trained its own cascade beside that of our units")
            cascade = [tensors[f"{LAYERS}{k}.cascade"] for k in range(1, count)]
    except KeyError as error:
        raise ModelError(
            f"perforatedai: its model lacks {error}; version 3.2.9 was tested"
        ) from None
    snapshot.update(
        {"adapter.incoming": incoming, "adapter.threshold": threshold, "adapter.gain": gain}
    )
    if cascade:
        snapshot["adapter.cascade"] = torch.cat(cascade)
    return {name: tensor.detach().clone() for name, tensor in snapshot.items()}
