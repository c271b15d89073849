"""Read Parquet, and the Arrow streams of the `datasets` library."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import BinaryIO

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from nexus_engine.data.classes import GIVE_SCORES
from nexus_engine.data.messages import file_error, row_error, shown_names
from nexus_engine.data.reading.batches import BATCH_ROWS, RowBatch
from nexus_engine.data.reading.columns import ACCEPTED, Columns, columns_by_name
from nexus_engine.data.reading.sources import LFS_POINTER, Source, lfs_pointer
from nexus_engine.errors import DataError

__all__ = ["arrow_batches", "parquet_batches", "read_arrow", "read_parquet"]

END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
MAX_SCORE_CLASSES = 2
"""Two classes can be scores: 0 for pairs that are not alike, 1 for those that are."""


def read_parquet(
    source: Source, *, score_needed: bool, given: Mapping[str, str] | None = None
) -> tuple[Columns, Iterator[RowBatch]]:
    """The columns of a Parquet file, and its rows in batches that are read as they are consumed.

    Rows are numbered from 1, because a Parquet file has no lines. `given` names columns by role.
    Raises DataError for a damaged file, unknown columns, and columns of the wrong type.
    """
    with source.open() as file:
        if not file.read(1):
            raise file_error(source.label, "is empty; give a file with pairs of sentences")
        file.seek(0)
        _refuse_pointer(source.label, file)
        try:
            schema = pq.read_schema(file)
        except (pa.ArrowException, OSError, ValueError):
            raise _damaged(source.label) from None
    columns = _columns(source.label, schema, score_needed=score_needed, given=given)
    return columns, _filled(
        source.label,
        _batches(source.label, columns, parquet_batches(source, columns.read_names, BATCH_ROWS)),
    )


def read_arrow(
    source: Source, *, score_needed: bool, given: Mapping[str, str] | None = None
) -> tuple[Columns, Iterator[RowBatch]]:
    """Like `read_parquet`, for an Arrow stream as the `datasets` library stores it."""
    with source.open() as file:
        _refuse_pointer(source.label, file)
        try:
            schema = pa.ipc.open_stream(_Bounded(file)).schema
            # Arrow does not notice when a stream is cut off between two batches.
            file.seek(-len(END_OF_STREAM), os.SEEK_END)
            is_complete = file.read() == END_OF_STREAM
        except (pa.ArrowException, OSError, ValueError):
            raise _damaged(source.label) from None
    if not is_complete:
        raise _damaged(source.label)
    columns = _columns(source.label, schema, score_needed=score_needed, given=given)
    return columns, _filled(
        source.label,
        _batches(source.label, columns, arrow_batches(source, columns.read_names, BATCH_ROWS)),
    )


def arrow_batches(
    source: Source, names: Sequence[str] | None, rows: int
) -> Iterator[pa.RecordBatch]:
    """The columns `names`, None for all, of an Arrow stream, at most `rows` rows at a time.

    Raises DataError for a stream that is damaged or cut off.
    """
    with source.open() as file:
        _refuse_pointer(source.label, file)
        try:
            for stored_batch in pa.ipc.open_stream(_Bounded(file)):
                batch = stored_batch if names is None else stored_batch.select(list(names))
                batch.validate(full=True)  # Arrow trusts the offsets in the file
                for start in range(0, batch.num_rows, rows):
                    yield batch.slice(start, rows)
            is_at_end = not file.read(1)
            # Arrow does not notice when a stream is cut off between two batches.
            file.seek(-len(END_OF_STREAM), os.SEEK_END)
            is_complete = file.read() == END_OF_STREAM
        except (pa.ArrowException, OSError, ValueError):
            raise _damaged(source.label) from None
    if not (is_at_end and is_complete):  # rows after an early end mark would be lost silently
        raise _damaged(source.label)


class _Bounded(io.RawIOBase):
    """A file that never reads past its end.

    Arrow requests as many bytes as a length in the file says, and Python allocates them before it
    reads. A damaged length could exhaust the memory.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        position = file.tell()
        self._size = file.seek(0, os.SEEK_END)
        file.seek(position)

    def read(self, size: int = -1, /) -> bytes:
        left = max(0, self._size - self._file.tell())
        return self._file.read(left if size < 0 else min(size, left))

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _columns(
    label: str, schema: pa.Schema, *, score_needed: bool, given: Mapping[str, str] | None
) -> Columns:
    try:
        names = schema.names
    except UnicodeDecodeError:
        raise _damaged(label) from None
    columns = columns_by_name(label, names, score_needed=score_needed, given=given)
    if columns is None:
        reason = f"no known columns among {shown_names(names) or 'none'}; {ACCEPTED}"
        raise file_error(label, reason)
    for name in columns.names[:2]:
        if not _is_text(schema.field(name).type):
            raise file_error(label, f"the column {shown_names([name])} is not text")
    for name in columns.names[2:]:
        if score_needed and not _is_score(schema.field(name).type):
            raise file_error(label, f"the column {shown_names([name])} is not numbers")
        classes = _class_names(schema, name)
        if score_needed and len(classes) > MAX_SCORE_CLASSES:
            reason = f"the column {shown_names([name])} holds the classes {shown_names(classes)}"
            raise file_error(label, f"{reason}, which are not scores; {GIVE_SCORES}")
    if columns.split_name and not _is_text(schema.field(columns.split_name).type):
        remark = "the column split is not text and is ignored"
        return replace(columns, split=None, split_name="", remark=remark)
    return columns


def _class_names(schema: pa.Schema, name: str) -> list[str]:
    """The names of the classes of a column, which the `datasets` library stores in the schema."""
    try:
        metadata = json.loads((schema.metadata or {})[b"huggingface"])
        names = metadata["info"]["features"][name]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return []
    return [str(word) for word in names] if isinstance(names, list) else []


def parquet_batches(
    source: Source, names: Sequence[str] | None, rows: int
) -> Iterator[pa.RecordBatch]:
    """The columns `names`, None for all, of a Parquet file, at most `rows` rows at a time.

    Raises DataError for a file that is damaged or cut off.
    """
    with source.open() as file:
        _refuse_pointer(source.label, file)
        try:
            parquet = pq.ParquetFile(file)
            yield from parquet.iter_batches(
                rows, columns=None if names is None else list(names), use_threads=False
            )
        except (pa.ArrowException, OSError, ValueError):
            raise _damaged(source.label) from None


def _batches(
    label: str, columns: Columns, tables: Iterable[pa.RecordBatch | pa.Table]
) -> Iterator[RowBatch]:
    start = 1
    for table in tables:
        rows = range(start, start + table.num_rows)
        start = rows.stop
        first, second, *others = (_flat(table.column(i)) for i in range(table.num_columns))
        score = others[0] if columns.score is not None else None
        yield RowBatch(
            _text(first, rows, label, "first"),
            _text(second, rows, label, "second"),
            _numbers(score) if score is not None and _is_score(score.type) else None,
            rows,
            None if columns.split is None else _words(others[-1]),
        )


def _filled(label: str, batches: Iterator[RowBatch]) -> Iterator[RowBatch]:
    head = next(batches, None)
    if head is None:
        raise file_error(label, "has columns and no pairs")
    return _joined(head, batches)


def _joined(head: RowBatch, rest: Iterator[RowBatch]) -> Iterator[RowBatch]:
    """Yield `head` and the rest. Closing this generator closes the file."""
    yield head
    yield from rest


def _text(column: pa.Array, rows: range, label: str, which: str) -> pa.Array:
    try:
        text = column.cast(pa.string())
        text.validate(full=True)  # Arrow does not check on reading that strings are UTF-8
    except pa.ArrowException:
        reason = f"the {which} sentence of this row or one of the {len(rows)} from it is not UTF-8"
        raise row_error(label, rows[0], reason) from None
    return text


def _words(column: pa.Array) -> pa.Array:
    """The words of the split column; all null if they are not UTF-8."""
    try:
        words = column.cast(pa.string())
        words.validate(full=True)
    except pa.ArrowException:
        return pa.nulls(len(column), pa.string())
    return words


def _numbers(column: pa.Array) -> pa.Array:
    """Scores as float64, or as text that is parsed later.

    A float32 passes through its shortest decimal form, so that a stored 3.8 is read as 3.8 and not
    as 3.79999995: the same pairs then have the same fingerprint in every format.
    """
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    if pa.types.is_float32(column.type):
        column = column.cast(pa.string())
    if _is_text(column.type):
        return column.cast(pa.string()).to_pylist()
    return column.cast(pa.float64(), safe=False)


def _flat(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _is_score(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_floating(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_decimal(kind)
        or _is_text(kind)
    )


def _refuse_pointer(label: str, file: BinaryIO) -> None:
    """Raise DataError for what stands in a cloned repository whose large files were not fetched."""
    if file.read(len(LFS_POINTER)) == LFS_POINTER:
        raise lfs_pointer(label)
    file.seek(0)


def _damaged(label: str) -> DataError:
    return file_error(label, "is damaged or cut off; copy or download the file again")
