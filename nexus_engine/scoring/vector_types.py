"""How the numbers of a stored vector are kept."""

from __future__ import annotations

from typing import Literal

__all__ = ["VectorType", "row_bytes"]

VectorType = Literal["int8", "f32", "f16", "binary"]
"""`binary` is a bit for the sign of each number."""


def row_bytes(dims: int, dtype: VectorType) -> int:
    """Bytes of a vector of `dims` numbers."""
    return {"int8": dims, "f32": 4 * dims, "f16": 2 * dims, "binary": -(-dims // 8)}[dtype]
