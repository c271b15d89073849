"""Tensors in files: safetensors, for the owner alone, nothing pickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from nexus_engine.files import FILE_MODE, sha256_of, sync

__all__ = ["write_tensors"]


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Write tensors as safetensors, down to the disk; their size in bytes and SHA-256."""
    save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, path)
    path.chmod(FILE_MODE)
    sync(path)
    return {"size_bytes": path.stat().st_size, "sha256": sha256_of(path)}
