"""Tensors in files: safetensors, for the owner alone, nothing pickled.

The format is written here, in a dozen lines, for three reasons: a file is made with the right mode,
its SHA-256 comes without reading it again, and no second copy of the tensors is held in memory.
Format: eight bytes with the header's length, a JSON header, then the tensors' bytes (see
https://github.com/huggingface/safetensors, "Format").
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nexus_engine.disk.files import create_file, write_all

__all__ = ["MAX_WEIGHT_BYTES", "write_tensors"]

MAX_WEIGHT_BYTES = 1_500_000_000
"""Of a file of weights: all of the base model's, with as many dendrites as settings allow."""

TYPES = {
    torch.float64: "F64",
    torch.int64: "I64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int16: "I16",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.bool: "BOOL",
}
ALIGNMENT = 8


def _header(tensors: dict[str, Tensor]) -> bytes:
    facts: dict[str, Any] = {}
    start = 0
    for name, tensor in tensors.items():
        end = start + tensor.numel() * tensor.element_size()
        facts[name] = {
            "dtype": TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
        start = end
    text = json.dumps(facts, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Write tensors as a new file, down to the disk; its size in bytes and SHA-256.

    Wide types come first, so that each tensor begins at a multiple of its element's size.
    """
    ordered = dict(sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])))
    size, digest = 0, hashlib.sha256()
    handle = create_file(path)
    try:
        parts = (_bytes(tensor) for tensor in ordered.values())
        for content in (memoryview(_header(ordered)), *parts):
            write_all(handle, content)
            digest.update(content)
            size += content.nbytes
        os.fsync(handle)
    finally:
        os.close(handle)
    return {"size_bytes": size, "sha256": digest.hexdigest()}


def _bytes(tensor: Tensor) -> memoryview:
    plain = tensor.detach().cpu().contiguous().reshape(-1)
    if not plain.numel():
        return memoryview(b"")
    bytes_of: npt.NDArray[np.uint8] = plain.view(torch.uint8).numpy()
    return bytes_of.data
