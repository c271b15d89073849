"""Files of vectors: .npy, .safetensors and .parquet, as float32, float16, int8 or bits.

Vectors have length 1 before they are rounded. int8 numbers are the float32 ones times one `scale`,
127 over the largest of them all, as in `small_vectors`. A bit is 1 where a number is above 0, and
the first number of eight is the highest bit of a byte, as `numpy.unpackbits` reads them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from nexus_engine.disk.files import create_file, write_all
from nexus_engine.errors import ConfigError, one_line
from nexus_engine.scoring.small_vectors import stored_rows
from nexus_engine.scoring.vector_types import VectorType

__all__ = ["SUFFIXES", "VectorFormat", "format_of", "header", "write_file"]

SUFFIXES = (".npy", ".parquet", ".safetensors")
NPY_HEADER = 128
SAFETENSORS_HEADER = 2048
"""Bytes before the first vector. The number of rows is known at the end, so headers have a fixed
size and are padded with spaces."""
ROWS_PER_COPY = 4096
"""In a conversion, and in a row group of Parquet."""
TYPES: dict[VectorType, tuple[str, str]] = {
    "f32": ("<f4", "F32"),
    "f16": ("<f2", "F16"),
    "int8": ("|i1", "I8"),
    "binary": ("|u1", "U8"),
}
"""The names of a type in NumPy and in safetensors."""


class VectorFormat(NamedTuple):
    """A format of a file (`suffix`), with vectors of `dims` numbers stored as `dtype`."""

    suffix: str
    dtype: VectorType
    dims: int

    @property
    def columns(self) -> int:
        """Elements of a stored vector: bytes where numbers are bits."""
        return -(-self.dims // 8) if self.dtype == "binary" else self.dims

    @property
    def needs_copy(self) -> bool:
        """Whether the file cannot grow row by row: int8 needs the scale, Parquet is by column."""
        return self.suffix == ".parquet" or self.dtype == "int8"

    @property
    def header_bytes(self) -> int:
        """Bytes of the file before the first vector."""
        return {".npy": NPY_HEADER, ".safetensors": SAFETENSORS_HEADER}.get(self.suffix, 0)

    @property
    def row_type(self) -> np.dtype[Any]:
        """A vector as it is kept while the file grows, for Parquet below the number of its row."""
        kept = "<f4" if self.dtype == "int8" else TYPES[self.dtype][0]
        vector = ("vector", kept, (self.columns,))
        return np.dtype([("row", "<i8"), vector] if self.suffix == ".parquet" else [vector])

    def rows(self, numbers: list[int], unit: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """Vectors of length 1, (n, dims), with the numbers of their rows, as they are kept."""
        kept = np.zeros(len(unit), self.row_type)
        if self.suffix == ".parquet":
            kept["row"] = numbers
        dtype: VectorType = "f32" if self.dtype == "int8" else self.dtype
        kept["vector"] = stored_rows(torch.from_numpy(unit), dtype)
        return kept


def format_of(out: Path, dtype: VectorType, dims: int) -> VectorFormat:
    """The format that the name of a file means.

    Raises:
        ConfigError: it means none.
    """
    suffix = out.suffix.lower()
    if suffix not in SUFFIXES:
        names = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        raise ConfigError(f"--out {one_line(out, 200)}: its name must end in {names}")
    return VectorFormat(suffix, dtype, dims)


def header(form: VectorFormat, rows: int, facts: Mapping[str, str]) -> bytes:
    """The first bytes of a file of `rows` vectors; `facts` become metadata where there are some.

    Raises:
        ValueError: the facts do not fit.
    """
    shape = (rows, form.columns)
    numpy_name, name = TYPES[form.dtype]
    if form.suffix == ".npy":
        text = f"{{'descr': '{numpy_name}', 'fortran_order': False, 'shape': {shape}, }}"
        padded = text.ljust(NPY_HEADER - 11) + "\n"
        content = b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode()
    elif form.suffix == ".safetensors":
        size = rows * form.columns * np.dtype(numpy_name).itemsize
        tensor = {"dtype": name, "shape": shape, "data_offsets": [0, size]}
        text = json.dumps({"__metadata__": dict(facts), "vectors": tensor}, separators=(",", ":"))
        padded = text.ljust(SAFETENSORS_HEADER - 8)
        content = len(padded).to_bytes(8, "little") + padded.encode()
    else:
        return b""
    if len(content) != form.header_bytes:
        raise ValueError("the header does not fit")
    return content


def write_file(
    path: Path,
    form: VectorFormat,
    kept: Path,
    rows: int,
    facts: Mapping[str, str],
    scale: float,
) -> None:
    """Write the new file `path` from the `rows` vectors in `kept`, and sync it.

    Raises:
        OSError: it cannot be written.
    """
    handle = create_file(path)
    try:
        with os.fdopen(handle, "wb", closefd=False) as file:
            blocks = _blocks(form, kept, rows, scale)
            if form.suffix == ".parquet":
                _write_parquet(file, form, blocks, facts)
            else:
                file.write(header(form, rows, facts))
                file.flush()
                for _, vectors in blocks:
                    write_all(handle, np.ascontiguousarray(vectors).data)
        os.fsync(handle)
    finally:
        os.close(handle)


def _blocks(
    form: VectorFormat, kept: Path, rows: int, scale: float
) -> Iterator[tuple[npt.NDArray[np.int64] | None, npt.NDArray[Any]]]:
    """The numbers of rows, where they are kept, and the vectors in their last form."""
    with kept.open("rb") as file:
        file.seek(form.header_bytes)
        for start in range(0, rows, ROWS_PER_COPY):
            count = min(ROWS_PER_COPY, rows - start)
            block = np.frombuffer(file.read(count * form.row_type.itemsize), form.row_type)
            vectors = block["vector"]
            if form.dtype == "int8":
                vectors = stored_rows(torch.tensor(vectors), "int8", scale)
            yield block["row"] if form.suffix == ".parquet" else None, vectors


def _write_parquet(
    file: Any,
    form: VectorFormat,
    blocks: Iterator[tuple[npt.NDArray[np.int64] | None, npt.NDArray[Any]]],
    facts: Mapping[str, str],
) -> None:
    element = pa.from_numpy_dtype(np.dtype(TYPES[form.dtype][0]))
    schema = pa.schema(
        [
            pa.field("row", pa.int64(), nullable=False),
            pa.field("vector", pa.list_(element, form.columns), nullable=False),
        ],
        metadata=dict(facts),
    )
    # Parquet stores a plain byte in four. A dictionary of at most 256 values brings it back to one.
    # Other numbers hardly repeat, so there a dictionary or compression only costs time.
    is_small = form.dtype in ("int8", "binary")
    options = {"compression": "NONE", "use_dictionary": is_small, "write_statistics": False}
    with pq.ParquetWriter(file, schema, **options) as writer:
        for numbers, vectors in blocks:
            flat = pa.array(np.ascontiguousarray(vectors).reshape(-1), element)
            lists = pa.FixedSizeListArray.from_arrays(flat, form.columns)
            arrays = [pa.array(np.asarray(numbers), pa.int64()), lists]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), ROWS_PER_COPY)
