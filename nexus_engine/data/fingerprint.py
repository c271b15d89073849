"""A fingerprint of the contents of the splits, whatever files they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nexus_engine.data.pairs import Pairs

__all__ = ["fingerprint_of"]

VERSION = b"nexus pairs 1\n"
SLICE_ROWS = 1 << 16


def fingerprint_of(splits: Mapping[str, Pairs]) -> str:
    """SHA-256 (hex) of the splits in the given order.

    Each split adds its name and number of pairs; for each column, 65,536 sentences at a time, their
    lengths in bytes (little-endian int64) and then their UTF-8; and the mapped scores
    (little-endian float32). The lengths distinguish ("ab", "c") from ("a", "bc").
    """
    digest = hashlib.sha256(VERSION)
    for name, pairs in splits.items():
        digest.update(f"{name} {len(pairs)}\n".encode())
        for column in (pairs.first, pairs.second):
            for start in range(0, len(column), SLICE_ROWS):
                _add_sentences(digest, column.slice(start, SLICE_ROWS))
        if pairs.scores is not None:
            # + 0.0 turns -0.0 into 0.0.
            digest.update((pairs.scores + np.float32(0.0)).astype("<f4").tobytes())
    return digest.hexdigest()


def _add_sentences(digest: hashlib._Hash, column: pa.Array) -> None:
    lengths = pc.binary_length(column).to_numpy(zero_copy_only=False).astype("<i8")
    digest.update(lengths.tobytes())
    digest.update("".join(column.to_pylist()).encode())
