"""One file of pairs, streamed through the `datasets` library into Arrow.

Not by `load_dataset`: it reads "NA" as nothing and file names as patterns, does not know rows, and
writes a lock (and without streaming a copy of the sentences) into its cache folder. Here a strict
reader feeds an `IterableDataset` of declared features, which keeps nothing on disk.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexus_engine.data.arrow_files import read_arrow, read_parquet
from nexus_engine.data.batches import BATCH_ROWS, RowBatch, checked_table
from nexus_engine.data.columns import Columns
from nexus_engine.data.delimited import read_delimited
from nexus_engine.data.formats import FileKind
from nexus_engine.data.json_lines import read_json_lines
from nexus_engine.data.offline import stay_offline
from nexus_engine.data.sources import Source
from nexus_engine.errors import DataError

__all__ = ["RawPairs", "one_array", "read_pairs"]

INT32_BYTES = 2**31 - 1
"""Above this many bytes an Arrow string column needs the large form."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RawPairs:
    """The pairs of one file, their scores still as they stand there."""

    label: str
    first: pa.Array
    second: pa.Array
    scores: NDArray[np.float64] | None
    """(n,) float64; None when the file has no column of usable scores."""
    rows: NDArray[np.int64]
    """(n,) the row of each pair in the file, from 1."""
    score_name: str
    """The score column's name, squeezed; empty without one."""
    notes: tuple[str, ...]
    sentence_names: tuple[str, ...] = ()
    """The names of the two sentence columns, squeezed; empty without a header."""

    def __len__(self) -> int:
        return len(self.first)


def read_pairs(source: Source, kind: FileKind, *, score_needed: bool) -> RawPairs:
    """Read `source` whole.

    With `score_needed` every row must have a finite score; without, a column of scores is kept
    only if all are.
    Raises DataError with file, row and reason for everything that cannot be used.
    """
    if kind is not FileKind.TSV:
        return _collected(source, kind, quoted=True, score_needed=score_needed)
    try:
        return _collected(source, kind, quoted=True, score_needed=score_needed)
    except DataError as refused:
        # Many TSV files (GLUE, the STS Benchmark's own) do not quote: there a sentence may start
        # with a quote and go on after the closing one.
        try:
            plain = _collected(source, kind, quoted=False, score_needed=score_needed)
        except DataError:
            raise refused from None
        if not _quotes_are_plain(plain):
            raise refused from None
        return plain


def _collected(source: Source, kind: FileKind, *, quoted: bool, score_needed: bool) -> RawPairs:
    batches: Iterator[RowBatch] | None = None
    try:
        columns, batches = _reader(source, kind, quoted=quoted, score_needed=score_needed)
        tables = list(_streamed(source.label, batches, score_needed=score_needed))
    except DataError as error:
        # The frames on the way hold the open file and some of its rows. They go now, so that the
        # file is closed, and not when the error is forgotten.
        error.__context__ = None
        if isinstance(batches, Generator):
            batches.close()
        raise error.with_traceback(None)  # noqa: B904 - it is the same error
    scores: NDArray[np.float64] | None = None
    if columns.score is not None and not any(table["score"].null_count for table in tables):
        scores = np.concatenate([table["score"].to_numpy() for table in tables])
    notes = [columns.note] if quoted else [columns.note, "quotes are taken as plain characters"]
    return RawPairs(
        source.label,
        one_array([chunk for table in tables for chunk in table["first"].chunks]),
        one_array([chunk for table in tables for chunk in table["second"].chunks]),
        scores,
        np.concatenate([table["row"].to_numpy() for table in tables]),
        columns.score_name,
        tuple(notes),
        columns.sentence_names,
    )


def _reader(
    source: Source, kind: FileKind, *, quoted: bool, score_needed: bool
) -> tuple[Columns, Iterator[RowBatch]]:
    match kind:
        case FileKind.CSV:
            return read_delimited(source, ",", quoted=quoted, score_needed=score_needed)
        case FileKind.TSV:
            return read_delimited(source, "\t", quoted=quoted, score_needed=score_needed)
        case FileKind.JSONL:
            return read_json_lines(source, score_needed=score_needed)
        case FileKind.PARQUET:
            return read_parquet(source, score_needed=score_needed)
        case FileKind.ARROW:
            return read_arrow(source, score_needed=score_needed)


def _streamed(label: str, batches: Iterator[RowBatch], *, score_needed: bool) -> Iterator[pa.Table]:
    """The checked batches as tables, through a `datasets` stream."""
    stay_offline()
    import datasets
    from datasets.iterable_dataset import ArrowExamplesIterable

    features = datasets.Features(
        first=datasets.Value("string"),
        second=datasets.Value("string"),
        score=datasets.Value("float64"),
        row=datasets.Value("int64"),
    )

    def tables() -> Iterator[tuple[int, pa.Table]]:
        for key, batch in enumerate(batches):
            yield key, checked_table(batch, label, score_needed=score_needed)

    stream = datasets.IterableDataset(
        ArrowExamplesIterable(tables, {}), info=datasets.DatasetInfo(features=features)
    )
    yield from stream.with_format("arrow").iter(batch_size=BATCH_ROWS)


def one_array(chunks: list[pa.Array]) -> pa.Array:
    """The chunks as one string array; a large_string one where they hold more than 2 GB."""
    if sum(chunk.nbytes for chunk in chunks) > INT32_BYTES:
        chunks = [chunk.cast(pa.large_string()) for chunk in chunks]
    return pa.concat_arrays(chunks)


def _quotes_are_plain(raw: RawPairs) -> bool:
    """Whether the quotes at the ends of cells look like text rather than like broken quoting.

    In a file that quotes its cells nearly every such cell has one at both ends.
    """
    one_end = both_ends = 0
    for column in (raw.first, raw.second):
        starts = pc.starts_with(column, '"')
        ends = pc.ends_with(column, '"')
        one_end += pc.sum(pc.xor(starts, ends)).as_py() or 0
        both_ends += pc.sum(pc.and_(starts, ends)).as_py() or 0
    return bool(one_end > both_ends)
