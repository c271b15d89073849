"""A model as a GGUF file, for llama.cpp and Ollama, written by the package `gguf`.

The names of tensors and keys are those of llama.cpp's own conversion of a BertModel. The file holds
plain BERT weights, so linear units must be folded in; units behind a nonlinearity and an adapter
have no place in it.

Position embeddings end at the model's maximum length, which is then the context length. So Ollama
truncates a text where NEXUS does.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from nexus_engine.disk.files import create_file, sync
from nexus_engine.errors import ModelError
from nexus_engine.exports.extra import required
from nexus_engine.exports.gguf_tokens import add_tokens, gguf_tokens
from nexus_engine.exports.plain_model import Floats, PlainModel

__all__ = ["check_plain", "gguf_tensors", "write_gguf"]

LAYER_PARTS = {
    "attn_q": "attention.self.query",
    "attn_k": "attention.self.key",
    "attn_v": "attention.self.value",
    "attn_output": "attention.output.dense",
    "attn_output_norm": "attention.output.LayerNorm",
    "ffn_up": "intermediate.dense",
    "ffn_down": "output.dense",
    "layer_output_norm": "output.LayerNorm",
}


def check_plain(model: PlainModel) -> None:
    """Refuse a model that is more than plain BERT weights.

    Raises:
        ModelError: units are left that cannot be folded, or there is an adapter.
    """
    if model.units:
        kinds = ", ".join(sorted({units.nonlinearity for units in model.units}))
        raise ModelError(
            f"GGUF holds plain BERT weights, and units with {kinds} cannot be folded into them; "
            "export --format onnx, or train with --nonlinearity linear"
        )
    if model.adapter is not None:
        raise ModelError(
            "GGUF holds plain BERT weights without an adapter; export --format onnx, or train with "
            "--tune dendrites"
        )


def gguf_tensors(model: PlainModel) -> dict[str, Floats]:
    """The tensors of the file by llama.cpp's names, float32, in the order of the file."""
    weights = model.weights
    tensors = {
        "token_embd.weight": weights["embeddings.word_embeddings.weight"],
        "position_embd.weight": weights["embeddings.position_embeddings.weight"][
            : model.max_tokens
        ],
        "token_types.weight": weights["embeddings.token_type_embeddings.weight"],
        "token_embd_norm.weight": weights["embeddings.LayerNorm.weight"],
        "token_embd_norm.bias": weights["embeddings.LayerNorm.bias"],
    }
    for layer in range(model.shape.encoder.layers):
        for theirs, ours in LAYER_PARTS.items():
            for leaf in ("weight", "bias"):
                name = f"encoder.layer.{layer}.{ours}.{leaf}"
                tensors[f"blk.{layer}.{theirs}.{leaf}"] = weights[name]
    return {name: np.ascontiguousarray(t, np.float32) for name, t in tensors.items()}


def write_gguf(model: PlainModel, path: Path) -> None:
    """Write `model` as the new file `path`, mode 0600, 90 MB, and sync it to the disk.

    Raises:
        ConfigError: the package `gguf` is not installed.
        ModelError: the model has units or an adapter that the format cannot hold, or its tokenizer
            is not of its kind.
        OSError: the file exists or cannot be written.
    """
    check_plain(model)
    gguf = required("gguf", "writing GGUF")
    tokens = gguf_tokens(model.base_folder, model.shape)
    os.close(create_file(path))
    writer = gguf.GGUFWriter(path, "bert")
    try:
        _add_keys(gguf, writer, model)
        add_tokens(gguf, writer, tokens, model.shape.encoder.segments)
        for name, tensor in gguf_tensors(model).items():
            writer.add_tensor(name, tensor)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        sync(path)
    except BaseException:
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # what waits in its buffer has no room either
            writer.close()
        raise


def _add_keys(gguf: Any, writer: Any, model: PlainModel) -> None:
    shape = model.shape.encoder
    writer.add_name(f"{model.name}, fine-tuned by NEXUS")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_block_count(shape.layers)
    writer.add_context_length(model.max_tokens)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_layer_norm_eps(shape.norm_epsilon)
    writer.add_causal_attention(False)
    kinds = gguf.PoolingType
    writer.add_pooling_type(kinds.CLS if shape.pooling == "cls" else kinds.MEAN)
    writer.add_bool("bert.normalize_embeddings", True)  # read by Ollama; llama.cpp asks its caller
