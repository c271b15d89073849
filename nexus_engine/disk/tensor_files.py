"""Writing tensors as safetensors files; nothing is pickled.

This module writes the format itself for three reasons: the file gets mode 0600, its SHA-256 is
computed without reading it again, and memory holds no second copy of the tensors. The format is
eight bytes with the header's length, a JSON header, then the bytes of the tensors (see
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
"""Size limit of a weights file: all base weights and as many dendrites as settings allow."""

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
    entries: dict[str, Any] = {}
    start = 0
    for name, tensor in tensors.items():
        end = start + tensor.numel() * tensor.element_size()
        entries[name] = {
            "dtype": TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
        start = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Write tensors as a new file and sync it; return its `size_bytes` and `sha256`.

    Wide types come first, so that each tensor is aligned to the size of its elements.
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
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    if not flat.numel():
        return memoryview(b"")
    array: npt.NDArray[np.uint8] = flat.view(torch.uint8).numpy()
    return array.data
