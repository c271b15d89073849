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
from nexus_engine.disk.regular_files import read_json
from nexus_engine.errors import ModelError, one_line
from nexus_engine.exports.extra import required
from nexus_engine.exports.plain_model import Floats, PlainModel
from nexus_engine.model.encoder import EncoderShape

__all__ = ["check_plain", "gguf_tensors", "write_gguf"]

WORD_START = "\u2581"
"""Marks the start of a word where WordPiece marks its continuation by `##`."""
SPECIAL = {"cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]", "pad": "[PAD]", "unk": "[UNK]"}
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
NAME = "all-MiniLM-L6-v2, fine-tuned by NEXUS"


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
    for layer in range(EncoderShape().layers):
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
            is not WordPiece.
        OSError: the file exists or cannot be written.
    """
    check_plain(model)
    gguf = required("gguf", "writing GGUF")
    tokens, ids = _vocabulary(model.base_folder)
    os.close(create_file(path))
    writer = gguf.GGUFWriter(path, "bert")
    try:
        _add_keys(gguf, writer, model)
        _add_tokens(gguf, writer, tokens, ids)
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
    shape = EncoderShape()
    writer.add_name(NAME)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_block_count(shape.layers)
    writer.add_context_length(model.max_tokens)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_layer_norm_eps(shape.norm_epsilon)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_bool("bert.normalize_embeddings", True)  # read by Ollama; llama.cpp asks its caller


def _add_tokens(gguf: Any, writer: Any, tokens: list[str], ids: dict[str, int]) -> None:
    special = set(ids.values())
    types = [gguf.TokenType.CONTROL if i in special else gguf.TokenType.NORMAL for i in
             range(len(tokens))]  # fmt: skip
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_type_count(2)
    writer.add_bos_token_id(ids["cls"])
    writer.add_eos_token_id(ids["sep"])
    writer.add_unk_token_id(ids["unk"])
    writer.add_sep_token_id(ids["sep"])
    writer.add_pad_token_id(ids["pad"])
    writer.add_mask_token_id(ids["mask"])
    writer.add_uint32("tokenizer.ggml.cls_token_id", ids["cls"])  # the writer has no method for it
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)


def _vocabulary(folder: Path) -> tuple[list[str], dict[str, int]]:
    """The tokens in llama.cpp's spelling, by id, and the ids of the special ones by role.

    Raises:
        ModelError: `tokenizer.json` cannot be read or is not WordPiece with BERT's special tokens.
    """
    path = folder / "tokenizer.json"
    try:
        content = read_json(path, follow=True)
        part = content["model"]
        prefix = part["continuing_subword_prefix"]
        by_id = {int(i): str(token) for token, i in part["vocab"].items()}
        tokens = [by_id[i] for i in range(len(by_id))]
        ids = {role: int(part["vocab"][token]) for role, token in SPECIAL.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = type(error).__name__ if not isinstance(error, OSError) else error.strerror
        raise ModelError(
            f"{one_line(path)}: not a WordPiece tokenizer with BERT's special tokens "
            f"({one_line(reason, 60)})"
        ) from None
    special = set(ids.values())
    return [
        token
        if i in special
        else token.removeprefix(prefix)
        if token.startswith(prefix)
        else f"{WORD_START}{token}"
        for i, token in enumerate(tokens)
    ], ids
