"""A plain sentence-transformers folder: no code of its own, readable by every version."""

from __future__ import annotations

from collections.abc import Mapping

from safetensors.numpy import save

from nexus_engine.exports.adapter_modules import dense_modules
from nexus_engine.exports.onnx_graph import onnx_bytes
from nexus_engine.exports.plain_model import Floats, PlainModel
from nexus_engine.exports.small_files import module_files, tokenizer_files

__all__ = ["ONNX_FILE", "WEIGHTS_FILE", "folds", "onnx_folder", "st_folder", "tensor_bytes"]

WEIGHTS_FILE = "model.safetensors"
ONNX_FILE = "onnx/model.onnx"


def folds(model: PlainModel) -> bool:
    """Whether the encoder of `model` is a plain BERT: no unit is left on its layers."""
    return all(units.site == "adapter" for units in model.units)


def tensor_bytes(tensors: Mapping[str, Floats]) -> bytes:
    """`tensors` as a safetensors file; transformers refuses one without the format's name."""
    return save(dict(tensors), {"format": "pt"})


def st_folder(model: PlainModel) -> dict[str, bytes]:
    """The files of a sentence-transformers folder by name.

    If units are left on the encoder, `onnx/model.onnx` takes the place of `model.safetensors`.

    Raises:
        ModelError: the adapter has units that no Dense module computes.
        ConfigError: ONNX is needed, and the package `onnx` is not installed.
    """
    files = _without_weights(model)
    if folds(model):
        return files | {WEIGHTS_FILE: tensor_bytes(model.weights)}
    # The adapter is in the Dense modules, so it may not be in the token states too.
    encoder = tuple(units for units in model.units if units.site != "adapter")
    return files | {ONNX_FILE: onnx_bytes(model._replace(units=encoder, adapter=None))}


def onnx_folder(model: PlainModel, name: str, content: bytes) -> dict[str, bytes]:
    """The files of a folder around the ONNX file `content`, which it holds as `onnx/NAME`.

    The tokenizer's files lie both beside it, where Chroma looks, and in the folder itself, where
    Transformers.js and fastembed look.
    """
    small = tokenizer_files(model.base_folder, model.max_tokens, model.shape)
    beside = {f"onnx/{file}": text for file, text in small.items()}
    return {
        **small,
        **module_files(model.max_tokens, [], model.shape),
        **beside,
        f"onnx/{name}": content,
    }


def _without_weights(model: PlainModel) -> dict[str, bytes]:
    dense = dense_modules(model)
    files = tokenizer_files(model.base_folder, model.max_tokens, model.shape)
    configurations = [module.configuration for module in dense]
    files |= module_files(model.max_tokens, configurations, model.shape)
    for place, module in enumerate(dense, start=2):
        layer = {"linear.weight": module.weight, "linear.bias": module.bias}
        files[f"{place}_Dense/{WEIGHTS_FILE}"] = tensor_bytes(layer)
    return files
