"""What training changed, in kilobytes: the units and changed weights, by the base model's names.

`delta.safetensors` holds, in float32 as trained:

    LAYER.incoming (K, in)  LAYER.threshold (K,)  LAYER.cascade (K, K)  LAYER.gain (K, out)
    NAME                    a weight that training changed, whole
    adapter.weight, adapter.bias

where LAYER is the layer's name in the base model's `model.safetensors`. `delta.json` names the base
model by SHA-256, the nonlinearity and the maximum length.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nexus_engine.exports.plain_model import Floats, PlainModel, SiteUnits, published_site
from nexus_engine.exports.small_files import json_bytes
from nexus_engine.exports.st_folder import tensor_bytes
from nexus_engine.runs.saved_model import ModelCard

__all__ = ["DELTA_FILE", "delta_files", "named_units"]

DELTA_FILE = "delta.safetensors"


def delta_files(unfolded: PlainModel, base: PlainModel, card: ModelCard) -> dict[str, bytes]:
    """The files of the delta by name.

    `unfolded` is the model with every unit in `units`, and `base` the base model.
    """
    tensors: dict[str, Floats] = {}
    for units in unfolded.units:
        tensors |= named_units(units)
    for name, weight in unfolded.weights.items():
        if not np.array_equal(weight, base.weights[name]):
            tensors[name] = weight
    if unfolded.adapter is not None:
        tensors["adapter.weight"], tensors["adapter.bias"] = unfolded.adapter
    facts = {
        "format": 1,
        "base_sha256": card.base_sha256,
        "tokenizer_sha256": card.tokenizer_sha256,
        "nonlinearity": card.nonlinearity,
        "max_tokens": unfolded.max_tokens,
        "pooling": unfolded.shape.encoder.pooling,
        "normalize": True,
    }
    return {DELTA_FILE: tensor_bytes(tensors), "delta.json": json_bytes(facts)}


def named_units(units: SiteUnits) -> dict[str, Floats]:
    """The arrays of `units` by their names in the file."""
    layer = "adapter" if units.site == "adapter" else published_site(units.site)
    arrays: dict[str, npt.NDArray[np.float32]] = {
        "incoming": units.incoming,
        "threshold": units.threshold,
        "cascade": units.cascade,
        "gain": units.gain,
    }
    return {f"{layer}.{leaf}": array for leaf, array in arrays.items()}
