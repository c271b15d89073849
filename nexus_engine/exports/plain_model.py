"""A trained model as plain BERT weights: linear units become part of the layers they stand on.

For a layer y = W x + b with K units, d = (I - C)⁻¹ (U x + β) if the units are linear, and so

    W' = W + Tᵀ (I - C)⁻¹ U        b' = b + Tᵀ (I - C)⁻¹ β

with U (K, in) the incoming weights, β (K,) the thresholds, C (K, K) the cascade weights below the
diagonal and T (K, out) the gains. It is computed in float64 and rounded once to float32. Units
behind a nonlinearity stay units.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from torch import Tensor

from nexus_engine.errors import ModelError, one_line
from nexus_engine.model.base_model import BaseModel, published_names
from nexus_engine.model.dendrites import DendriteLinear
from nexus_engine.runs.saved_model import LoadedModel

__all__ = ["Adapter", "Floats", "PlainModel", "SiteUnits", "fold", "plain_model", "published_site"]

Floats = npt.NDArray[np.float32]
POOLER = ("pooler.dense.weight", "pooler.dense.bias")
"""Weights of a BertModel that no sentence model uses; without them, transformers warns."""


class SiteUnits(NamedTuple):
    """K units on the layer `site` (`LAYER.NAME`, or `adapter`), in float32.

    `incoming` (K, in), `threshold` (K,), `cascade` (K, K) with zeros on and above the diagonal,
    `gain` (K, out). Full dendrites have `incoming` (K, out, in), `threshold` (K, out) and `cascade`
    (K, K, out).
    """

    site: str
    nonlinearity: str
    incoming: Floats
    threshold: Floats
    cascade: Floats
    gain: Floats

    @property
    def full(self) -> bool:
        """Whether they are full dendrites, with a weight row for every neuron."""
        return self.incoming.ndim == 3


class Adapter(NamedTuple):
    """The linear layer after pooling: `weight` (out, in), `bias` (out,)."""

    weight: Floats
    bias: Floats


class PlainModel(NamedTuple):
    """A sentence model: BERT, the mean of its token vectors, `adapter`, and unit length.

    `weights` have the names of the base model's `model.safetensors`, in float32, with every linear
    unit folded in. `units` could not be folded. A text is read up to `max_tokens`. `base_folder`
    has the tokenizer's files.
    """

    weights: dict[str, Floats]
    units: tuple[SiteUnits, ...]
    adapter: Adapter | None
    max_tokens: int
    base_folder: Path


def published_site(site: str) -> str:
    """The published name of the layer `LAYER.NAME`, without `.weight` or `.bias`."""
    return published_names()[f"layers.{site}.weight"].removesuffix(".weight")


def fold(weight: Floats, bias: Floats, units: SiteUnits) -> tuple[Floats, Floats]:
    """The `weight` (out, in) and `bias` (out,) of a layer with its linear `units` folded in."""
    wide = [a.astype(np.float64) for a in (units.incoming, units.threshold, units.cascade)]
    incoming, threshold, cascade = wide
    gain = units.gain.astype(np.float64)
    count = len(gain)
    if units.full:
        # Each neuron has its own units: the same formula, once for each of them.
        by_neuron = np.eye(count) - np.moveaxis(cascade, 2, 0)
        shares = np.linalg.solve(np.swapaxes(by_neuron, 1, 2), gain.T[:, :, None])[:, :, 0]
        added = np.einsum("ok,koi->oi", shares, incoming)
        shift = np.einsum("ok,ko->o", shares, threshold)
    else:
        shares = np.linalg.solve((np.eye(count) - cascade).T, gain).T
        added, shift = shares @ incoming, shares @ threshold
    return (
        (weight.astype(np.float64) + added).astype(np.float32),
        (bias.astype(np.float64) + shift).astype(np.float32),
    )


def plain_model(loaded: LoadedModel, *, folded: bool = True) -> PlainModel:
    """The model `loaded`, a run's best weights or the base model, with linear units folded in.

    Without `folded`, linear units stay units too.

    Raises:
        ModelError: the base model's file cannot be read, or a folded weight is not finite.
    """
    weights = {
        theirs: _floats(loaded.model.encoder.get_parameter(ours))
        for ours, theirs in published_names(loaded.model.encoder.shape).items()
    }
    weights |= _pooler(loaded.base)
    adapter = None
    if loaded.model.adapter is not None:
        layer = loaded.model.adapter
        adapter = Adapter(_floats(layer.weight), _floats(layer.bias))
    remaining: list[SiteUnits] = []
    for site, layer in loaded.model.sites().items():
        units = _units(site, layer)
        if units is None:
            continue
        if units.nonlinearity != "linear" or not folded:
            remaining.append(units)
        elif site == "adapter":
            assert adapter is not None
            adapter = Adapter(*fold(*adapter, units))
            _check_finite(loaded.name, site, *adapter)
        else:
            name = published_site(site)
            leaves = (f"{name}.weight", f"{name}.bias")
            layer_weights = fold(weights[leaves[0]], weights[leaves[1]], units)
            _check_finite(loaded.name, site, *layer_weights)
            weights |= dict(zip(leaves, layer_weights, strict=True))
    return PlainModel(
        weights, tuple(remaining), adapter, loaded.tokenizer.max_tokens, loaded.base.folder
    )


def _floats(tensor: Tensor) -> Floats:
    array: Floats = tensor.detach().cpu().float().contiguous().numpy()
    return array


def _units(site: str, layer: DendriteLinear) -> SiteUnits | None:
    """The units on `layer`; None if it has none."""
    if layer.incoming is None or layer.threshold is None or layer.gain is None:
        return None
    incoming, threshold, gain = map(_floats, (layer.incoming, layer.threshold, layer.gain))
    count = len(gain)
    cascade = np.zeros((count, count, *threshold.shape[1:]), np.float32)
    if layer.cascade is not None:  # stored row by row below the diagonal
        cascade[np.tril_indices(count, -1)] = _floats(layer.cascade)
    return SiteUnits(site, layer.nonlinearity, incoming, threshold, cascade, gain)


def _pooler(base: BaseModel) -> dict[str, Floats]:
    """The unused pooler of the base model, if its file has one."""
    path = base.folder / "model.safetensors"
    try:
        with safe_open(path, framework="pt") as file:
            present = set(file.keys())
            return {name: _floats(file.get_tensor(name)) for name in POOLER if name in present}
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{one_line(path)}: {one_line(error, 120)}") from None


def _check_finite(name: str, site: str, *arrays: npt.NDArray[Any]) -> None:
    if not all(np.isfinite(array).all() for array in arrays):
        raise ModelError(
            f"{one_line(name, 100)}: the folded weights of {site} are not finite; train again"
        )
