"""The weights of a base model: their published names, and reading them into an encoder."""

from __future__ import annotations

from collections.abc import Collection

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from nexus_engine.errors import ModelError, one_line
from nexus_engine.model.base_model import BaseModel
from nexus_engine.model.encoder import Encoder
from nexus_engine.model.shape import EncoderShape

__all__ = ["LAYER_PARTS", "load_encoder", "name_prefix", "published_names"]

UNUSED_WEIGHTS = {"embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"}
"""Weights of a BERT file that a sentence model does not use."""
LAYER_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "o": "attention.output.dense",
    "up": "intermediate.dense",
    "down": "output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "output_norm": "output.LayerNorm",
}
"""For each part of a layer, its name in the published file."""


def published_names(shape: EncoderShape | None = None) -> dict[str, str]:
    """For each of our parameter names, the name in the published file."""
    layers = (shape or EncoderShape()).layers
    names = {
        "words.weight": "embeddings.word_embeddings.weight",
        "places.weight": "embeddings.position_embeddings.weight",
        "segments.weight": "embeddings.token_type_embeddings.weight",
        "norm.weight": "embeddings.LayerNorm.weight",
        "norm.bias": "embeddings.LayerNorm.bias",
    }
    for layer in range(layers):
        for ours, theirs in LAYER_PARTS.items():
            for leaf in ("weight", "bias"):
                names[f"layers.{layer}.{ours}.{leaf}"] = f"encoder.layer.{layer}.{theirs}.{leaf}"
    return names


def name_prefix(present: Collection[str]) -> str:
    """What stands before the names of a file's weights: "bert." where a model had a head, or ""."""
    return "bert." if "bert.embeddings.word_embeddings.weight" in present else ""


def load_encoder(base: BaseModel, dropout: float = 0.1) -> Encoder:
    """The encoder with the weights of `base`, float32 on the CPU, in training mode.

    Raises:
        ModelError: a weight is missing, unexpected, of another shape or type, or not finite.
    """
    path = base.folder / "model.safetensors"
    # Uninitialised; the meta device costs 250 ms of imports.
    encoder = Encoder(base.shape.encoder, dropout)
    expected = encoder.state_dict()
    state: dict[str, Tensor] = {}
    try:
        with safe_open(path, framework="pt") as file:
            present = set(file.keys())
            names = published_names(encoder.shape)
            prefix = name_prefix(present)
            own = {prefix + theirs for theirs in names.values()}
            unused = {prefix + name for name in UNUSED_WEIGHTS}
            for name in sorted(present - own - unused):
                if not (prefix and name.startswith("cls.")):
                    raise ModelError(
                        f"{one_line(path)}: weight {one_line(name, 60)} does not belong to an "
                        f"encoder of {encoder.shape.layers} layers as config.json describes it"
                    )
            for ours, theirs in names.items():
                if prefix + theirs not in present:
                    raise ModelError(f"{one_line(path)}: weight {prefix}{theirs} is missing")
                tensor = file.get_tensor(prefix + theirs)
                if not tensor.is_floating_point():
                    raise ModelError(f"{one_line(path)}: weight {theirs} has type {tensor.dtype}")
                tensor = tensor.float()
                if tensor.shape != expected[ours].shape:
                    raise ModelError(
                        f"{one_line(path)}: weight {theirs} has shape {tuple(tensor.shape)}, "
                        f"expected {tuple(expected[ours].shape)}"
                    )
                if not base.published and not bool(torch.isfinite(tensor).all()):
                    raise ModelError(f"{one_line(path)}: weight {theirs} is not finite")
                state[ours] = tensor
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{one_line(path)}: {one_line(error, 120)}") from None
    encoder.load_state_dict(state, assign=True)
    return encoder
