"""The folder around an ONNX file that Transformers.js, fastembed, Qdrant and Chroma read.

    config.json                   sizes of the model: Transformers.js
    tokenizer.json                all
    tokenizer_config.json         fastembed takes the maximum length from it
    special_tokens_map.json       Chroma looks for it
    vocab.txt                     Chroma looks for it
    onnx/model.onnx               float32; int8 is onnx/model_quantized.onnx, as Transformers.js
                                  names it
    onnx/…                        the same small files again: Chroma reads one folder named `onnx`

No consumer needs the weights in the root: fastembed takes the path of the file, and all others look
into `onnx`.
"""

from __future__ import annotations

import os
from pathlib import Path

from nexus_engine.disk.files import create_file, make_folder, sync, write_all
from nexus_engine.disk.regular_files import read_json
from nexus_engine.errors import ModelError, one_line
from nexus_engine.exports.plain_model import PlainModel
from nexus_engine.exports.tokenizer_files import json_bytes, tokenizer_files

__all__ = ["INT8_FILE", "ONNX_FILE", "write_onnx_folder"]

ONNX_FILE = "onnx/model.onnx"
INT8_FILE = "onnx/model_quantized.onnx"
PRIVATE_KEYS = ("_name_or_path", "transformers_version")
"""Keys of a configuration that tell of the machine that wrote it, not of the model."""


def write_onnx_folder(
    model: PlainModel, content: bytes, folder: Path, *, quantized: bool = False
) -> None:
    """Write the ONNX file `content` of `model` and what goes with it into `folder`.

    The folder is made if it is missing; no file may exist yet. Files have mode 0600 and folders
    0700, and all are synced to the disk.

    Raises:
        ModelError: the base model's configuration or tokenizer cannot be used.
        OSError: a file exists or cannot be written.
    """
    small = {"config.json": json_bytes(_configuration(model.base_folder))}
    small |= tokenizer_files(model.base_folder, model.max_tokens)
    inside = folder / "onnx"
    make_folder(inside)
    for place in (folder, inside):
        for name, text in small.items():
            _write(place / name, text)
    _write(folder / (INT8_FILE if quantized else ONNX_FILE), content)
    for place in (inside, folder):
        sync(place)


def _configuration(base_folder: Path) -> dict[str, object]:
    """The base model's `config.json`, which says nothing of the maximum length."""
    path = base_folder / "config.json"
    try:
        config = read_json(path, follow=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise ModelError(f"{one_line(path)}: unreadable ({one_line(reason, 60)})") from None
    return {key: value for key, value in config.items() if key not in PRIVATE_KEYS}


def _write(path: Path, content: bytes) -> None:
    handle = create_file(path)
    try:
        write_all(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
