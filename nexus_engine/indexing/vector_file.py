"""Vectors in a raw file: a row a passage, no header, searched exactly over a memory map.

Numbers are stored as int8 (times a scale), float32, float16, or as a bit for each sign.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nexus_engine.disk.files import create_file, write_all
from nexus_engine.disk.regular_files import open_regular, size_of
from nexus_engine.errors import DataError, one_line
from nexus_engine.indexing.index_card import IndexCard
from nexus_engine.indexing.tables import damaged
from nexus_engine.scoring.small_vectors import (
    HIGHEST,
    as_int8,
    int8_scale,
    stored_rows,
)
from nexus_engine.scoring.vector_types import VectorType, row_bytes

__all__ = ["Codec", "VectorFile", "VectorWriter", "check_rows", "check_vectors", "nearest_rows"]

BLOCK_ROWS = 8192
"""Rows that become float32 at once: 1.6 MB at 48 numbers, which a core's cache holds."""
GROUP = 1024
"""Scores of which the largest is taken first in the search for the largest of all."""
TORCH_DTYPES = {"int8": torch.int8, "f32": torch.float32, "f16": torch.float16}


class Codec(NamedTuple):
    """How vectors of `dims` numbers are stored. `scale` is for int8, None before it is known."""

    dims: int
    dtype: VectorType
    scale: float | None = None

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return row_bytes(self.dims, self.dtype)

    def fitted(self, unit: Tensor) -> Codec:
        """The codec with a scale fitted to `unit` (n, dims), the first vectors of an index."""
        if self.dtype != "int8" or self.scale is not None:
            return self
        return self._replace(scale=int8_scale(unit))

    def encode(self, unit: Tensor) -> bytes:
        """The bytes of `unit` (n, dims), rows of length 1."""
        return stored_rows(unit, self.dtype, self.scale).tobytes()


class VectorWriter:
    """Appends rows to the file at `path`, of which the first `rows` are kept.

    Rows behind those were written by a process that was killed before it recorded them.
    """

    def __init__(self, path: Path, codec: Codec, rows: int) -> None:
        if not os.path.lexists(path):
            os.close(create_file(path))
        self._handle = open_regular(path, os.O_RDWR)
        try:
            kept = rows * codec.row_bytes
            if os.fstat(self._handle).st_size < kept:
                raise _short(path)
            os.ftruncate(self._handle, kept)
            os.lseek(self._handle, 0, os.SEEK_END)
        except BaseException:
            os.close(self._handle)
            raise

    def append(self, rows: bytes) -> None:
        """Write encoded rows and wait until the disk has them."""
        write_all(self._handle, rows)
        os.fsync(self._handle)

    def __enter__(self) -> Self:
        return self

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    def __exit__(self, *_: object) -> None:
        self.close()


def check_rows(path: Path, codec: Codec, rows: int, *, is_growing: bool) -> None:
    """Check that the file at `path` holds `rows` vectors; more, if it `is_growing`.

    Raises:
        DataError: it does not, or it is missing.
    """
    try:
        size = size_of(path)
    except OSError as error:
        raise DataError(f"{one_line(path)}: {error.strerror}; build the index again") from None
    if size < rows * codec.row_bytes:
        raise _short(path)
    if size > rows * codec.row_bytes and not is_growing:
        raise damaged(path, "it has more vectors than the index has passages")


def check_vectors(index: Path, card: IndexCard, *, is_growing: bool) -> None:
    """Check the size of each file of vectors that `card` names, as `check_rows` does.

    Raises:
        DataError: one is missing, or holds another number of vectors.
    """
    codec = Codec(card.dims, card.dtype)
    for name in [card.vectors] if card.base is None else [card.vectors, card.base.vectors]:
        check_rows(index / name, codec, card.passages, is_growing=is_growing)


class VectorFile:
    """The first `rows` vectors of a file, for exact search.

    Behind them there may be more only if the file `is_growing`, by an unfinished addition.

    Raises:
        DataError: the file is missing, or holds another number of vectors.
    """

    def __init__(self, path: Path, codec: Codec, rows: int, *, is_growing: bool = False) -> None:
        check_rows(path, codec, rows, is_growing=is_growing)
        self._codec, self._rows = codec, rows
        kind = TORCH_DTYPES.get(codec.dtype, torch.uint8)
        numbers = codec.row_bytes // kind.itemsize
        if rows:
            flat = torch.from_file(str(path), shared=False, size=rows * numbers, dtype=kind)
        else:
            flat = torch.empty(0, dtype=kind)
        self._stored = flat.view(rows, numbers)
        # Fresh pages for each search would take as long as the product itself.
        self._scores = torch.empty(rows)
        self._products = torch.empty(rows if codec.dtype == "int8" else 0, 1, dtype=torch.int32)

    def scores(self, query: Tensor) -> Tensor:
        """The similarity of every row with `query` (dims,) of length 1: (rows,) float32.

        The tensor is used again by the next call. It holds cosine similarities; for signs, what is
        in proportion to the query's product with ±1.
        """
        if not self._rows:
            return torch.empty(0)
        with torch.inference_mode():
            if self._codec.dtype == "int8":
                return self._int8_scores(query)
            if self._codec.dtype == "binary":
                return self._sign_scores(query)
            return self._float_scores(query.float())

    def vectors(self, rows: npt.NDArray[np.int64]) -> Tensor:
        """The vectors of `rows` (n,) as float32 (n, dims), of length 1 but for rounding."""
        stored = self._stored[torch.from_numpy(rows)]
        if self._codec.dtype == "binary":
            bits = np.unpackbits(stored.numpy(), axis=1)[:, : self._codec.dims]
            return torch.from_numpy(bits).float().mul_(2).sub_(1).div_(self._codec.dims**0.5)
        return stored.float() / (self._codec.scale or 1.0)

    def _int8_scores(self, query: Tensor) -> Tensor:
        """By a product of integers over the map: 8 ms for a million rows of 48 on two cores."""
        assert self._codec.scale is not None
        own = HIGHEST / max(float(query.abs().max()), 1e-12)
        whole = as_int8(query, own)
        try:
            torch._int_mm(self._stored, whole[:, None], out=self._products)
            self._scores.copy_(self._products[:, 0])
        except (AttributeError, RuntimeError):  # not for this processor or release of torch
            self._float_scores(whole.float())
        return self._scores.div_(own * self._codec.scale)

    def _float_scores(self, query: Tensor) -> Tensor:
        for start in range(0, self._rows, BLOCK_ROWS):
            block = self._stored[start : start + BLOCK_ROWS].float()
            torch.mv(block, query, out=self._scores[start : start + len(block)])
        return self._scores

    def _sign_scores(self, query: Tensor) -> Tensor:
        """By a table of the 256 sums that each byte of a row can mean."""
        bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1) * 2.0 - 1.0
        width = self._stored.shape[1]
        padded = np.zeros(8 * width)
        padded[: self._codec.dims] = query.numpy()
        tables = (bits @ padded.reshape(width, 8).T).astype(np.float32)  # (256, width)
        stored = self._stored.numpy()
        scores = np.zeros(self._rows, np.float32)
        for column in range(width):
            scores += tables[:, column][stored[:, column]]
        return torch.from_numpy(scores / self._codec.dims**0.5)


def nearest_rows(scores: Tensor, count: int) -> npt.NDArray[np.int64]:
    """The rows of the `count` largest `scores` (n,), largest first, equal ones by row.

    Rows at -inf are left out.
    """
    n = len(scores)
    count = min(count, n)
    if not count:
        return np.zeros(0, np.int64)
    groups = n // GROUP
    if groups > count:
        largest = scores[: groups * GROUP].view(groups, GROUP).amax(1)
        limit = torch.topk(largest, count).values[-1]
    else:
        limit = torch.topk(scores, count).values[-1]
    rows = (scores >= limit).nonzero()[:, 0]
    values = scores[rows]
    order = torch.argsort(values, descending=True, stable=True)[:count]
    rows = rows[order][values[order] > float("-inf")]
    nearest: npt.NDArray[np.int64] = rows.numpy()
    return nearest


def _short(path: Path) -> DataError:
    return damaged(path, "it has fewer vectors than the index has passages")
