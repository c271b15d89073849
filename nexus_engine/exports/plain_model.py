"""A trained model as plain BERT weights: linear units become part of the layers they stand on.

`nexus_engine.model.folding` has the formula. Units behind a nonlinearity stay units.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from torch import Tensor

from nexus_engine.errors import ModelError, one_line
from nexus_engine.model.base_model import BaseModel
from nexus_engine.model.dendrites import DendriteLinear
from nexus_engine.model.encoder_weights import LAYER_PARTS, name_prefix, published_names
from nexus_engine.model.folding import Floats, cascade_matrix, fold
from nexus_engine.model.known_models import BASE_NAME
from nexus_engine.model.shape import DEFAULT_SHAPE, ModelShape
from nexus_engine.runs.saved_model import LoadedModel

__all__ = ["Adapter", "Floats", "PlainModel", "SiteUnits", "plain_model", "published_site"]

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

    def folded_into(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """The `weight` (out, in) and `bias` (out,) of the layer with these linear units."""
        return fold(weight, bias, self.incoming, self.threshold, self.cascade, self.gain)


class Adapter(NamedTuple):
    """The linear layer after pooling: `weight` (out, in), `bias` (out,)."""

    weight: Floats
    bias: Floats


class PlainModel(NamedTuple):
    """A sentence model: BERT, its pooling, `adapter`, and unit length.

    `weights` have the names of the base model's `model.safetensors`, in float32, with every linear
    unit folded in. `units` could not be folded. A text is read up to `max_tokens`. `base_folder`
    has the tokenizer's files, and `shape` is the base model's. `name` is the base model's.
    """

    weights: dict[str, Floats]
    units: tuple[SiteUnits, ...]
    adapter: Adapter | None
    max_tokens: int
    base_folder: Path
    shape: ModelShape = DEFAULT_SHAPE
    name: str = BASE_NAME


def published_site(site: str) -> str:
    """The published name of the layer `LAYER.NAME`, without `.weight` or `.bias`."""
    layer, _, part = site.partition(".")
    return f"encoder.layer.{layer}.{LAYER_PARTS[part]}"


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
            adapter = Adapter(*units.folded_into(*adapter))
            _check_finite(loaded.name, site, *adapter)
        else:
            name = published_site(site)
            leaves = (f"{name}.weight", f"{name}.bias")
            layer_weights = units.folded_into(weights[leaves[0]], weights[leaves[1]])
            _check_finite(loaded.name, site, *layer_weights)
            weights |= dict(zip(leaves, layer_weights, strict=True))
    return PlainModel(
        weights,
        tuple(remaining),
        adapter,
        loaded.tokenizer.max_tokens,
        loaded.base.folder,
        loaded.base.shape,
        loaded.base.name,
    )


def _floats(tensor: Tensor) -> Floats:
    array: Floats = tensor.detach().cpu().float().contiguous().numpy()
    return array


def _units(site: str, layer: DendriteLinear) -> SiteUnits | None:
    """The units on `layer`; None if it has none."""
    if layer.incoming is None or layer.threshold is None or layer.gain is None:
        return None
    incoming, threshold, gain = map(_floats, (layer.incoming, layer.threshold, layer.gain))
    stored = None if layer.cascade is None else _floats(layer.cascade)
    cascade = cascade_matrix(stored, threshold)
    return SiteUnits(site, layer.nonlinearity, incoming, threshold, cascade, gain)


def _pooler(base: BaseModel) -> dict[str, Floats]:
    """The unused pooler of the base model, if its file has one."""
    path = base.folder / "model.safetensors"
    try:
        with safe_open(path, framework="pt") as file:
            present = set(file.keys())
            prefix = name_prefix(present)
            return {
                name: _floats(file.get_tensor(prefix + name))
                for name in POOLER
                if prefix + name in present
            }
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{one_line(path)}: {one_line(error, 120)}") from None


def _check_finite(name: str, site: str, *arrays: npt.NDArray[Any]) -> None:
    if not all(np.isfinite(array).all() for array in arrays):
        raise ModelError(
            f"{one_line(name, 100)}: the folded weights of {site} are not finite; train again"
        )
