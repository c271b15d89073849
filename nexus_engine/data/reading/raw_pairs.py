"""One file of pairs, read through the `datasets` library into Arrow.

Not by `load_dataset`: it reads "NA" as nothing and file names as patterns, does not know rows, and
writes a lock (and without streaming a copy of the sentences) into its cache folder. Not by
`IterableDataset.from_generator`: it writes the same lock, and takes 59 times as long (measured,
200,000 pairs). Here a strict reader fills one `Dataset` a batch, which keeps nothing on disk.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexus_engine.data.reading.arrow_files import read_arrow, read_parquet
from nexus_engine.data.reading.batches import (
    NoScoreError,
    RowBatch,
    checked_table,
    count_lacking_scores,
)
from nexus_engine.data.reading.columns import Columns
from nexus_engine.data.reading.delimited import Tally, read_delimited
from nexus_engine.data.reading.formats import FileKind
from nexus_engine.data.reading.json_lines import read_json_lines
from nexus_engine.data.reading.offline import stay_offline
from nexus_engine.data.reading.separators import every_line_has_tabs
from nexus_engine.data.reading.sources import Source
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
    splits: pa.Array | None = None
    """What a column called `split` says of each pair; None without one."""

    def __len__(self) -> int:
        return len(self.first)


def read_pairs(source: Source, kind: FileKind, *, score_needed: bool) -> RawPairs:
    """Read `source` whole.

    With `score_needed` every row must have a finite score; without, a column of scores is kept
    only if all are.
    Raises DataError with file, row and reason for everything that cannot be used.
    """
    read = _Reading(source, score_needed)
    if kind is FileKind.TSV:
        return read.tabs()
    if kind is FileKind.CSV and every_line_has_tabs(source):
        return read.tabs_or_commas()
    return read.of(kind)


@dataclass(frozen=True, slots=True)
class _Reading:
    """The ways in which a file can be read."""

    source: Source
    score_needed: bool

    def tabs_or_commas(self) -> RawPairs:
        """A file called .csv whose lines all hold tabs."""
        try:
            raw = self.tabs()
        except DataError as by_tabs:
            try:
                return self.of(FileKind.CSV)
            except DataError:
                raise by_tabs from None
        return replace(raw, notes=("separated by tabs, whatever its name says", *raw.notes))

    def tabs(self) -> RawPairs:
        """With quotes as quoting, or as the plain characters that they are in many TSV files.

        GLUE and the STS Benchmark do not quote: there a sentence may start with a quote and go on
        after the closing one.
        """
        try:
            return self.of(FileKind.TSV)
        except DataError as refused:
            by_quotes = refused
        try:
            plain = self.of(FileKind.TSV, quoted=False)
        except DataError as refused:
            # The reading that came further tells what is wrong.
            raise (refused if _row_of(refused) >= _row_of(by_quotes) else by_quotes) from None
        if _quotes_are_plain(plain):
            return replace(plain, notes=(*plain.notes, "quotes are taken as plain characters"))
        raise by_quotes

    def of(self, kind: FileKind, *, quoted: bool = True) -> RawPairs:
        """As `kind` says."""
        label, needed = self.source.label, self.score_needed
        batches: Iterator[RowBatch] | None = None
        try:
            columns, batches, tally = _reader(self.source, kind, quoted=quoted, score_needed=needed)
            tables = list(_streamed(label, batches, score_needed=needed))
        except DataError as error:
            # The frames on the way hold the open file and some of its rows. They go now, so that
            # the file is closed, and not when the error is forgotten.
            error.__context__ = None
            if isinstance(error, NoScoreError) and batches is not None:
                error = _counted(error, batches)
            if isinstance(batches, Generator):
                batches.close()
            raise error.with_traceback(None)  # noqa: B904 - it is the same error
        scores: NDArray[np.float64] | None = None
        if columns.score is not None and not any(table["score"].null_count for table in tables):
            scores = np.concatenate([table["score"].to_numpy() for table in tables])
        first = one_array([chunk for table in tables for chunk in table["first"].chunks])
        second = one_array([chunk for table in tables for chunk in table["second"].chunks])
        return RawPairs(
            label,
            first,
            second,
            scores,
            np.concatenate([table["row"].to_numpy() for table in tables]),
            columns.score_name,
            (*columns.notes, *tally.notes(), *_control_notes(first, second)),
            columns.sentence_names,
            None
            if columns.split is None
            else pa.concat_arrays([c for table in tables for c in table["split"].chunks]),
        )


def _row_of(error: DataError) -> int:
    """The row that a refusal names; 0 where it is of the whole file."""
    named = re.search(r":(\d+): ", str(error))
    return int(named[1]) if named else 0


def _counted(error: NoScoreError, batches: Iterator[RowBatch]) -> DataError:
    """The refusal of a row without a score, with how many there are in the file."""
    count = error.count
    try:
        count += sum(count_lacking_scores(batch, empty=error.empty) for batch in batches)
    except DataError:  # something else is wrong further on: that is said when this is mended
        return error
    return error.counted(count)


CONTROLS = "[\u0080-\u009f]"
"""C1 control characters. Text has none; Windows-1252 read as Latin-1 has them for its quotes and
dashes, which are its bytes 0x80 to 0x9f."""
CONTROLS_BEGIN = b"\xc2"
"""The first byte of each in UTF-8: to look for it costs a tenth of what the expression costs."""
CONTROL_CELLS = 2
CONTROL_SHARE = 0.01
"""Cells that hold some, from which on they are no accident."""


def _holds_byte(column: pa.Array, byte: bytes) -> bool:
    content = column.buffers()[2]
    return content is not None and content.to_pybytes().find(byte) >= 0


def _control_notes(first: pa.Array, second: pa.Array) -> list[str]:
    cells = sum(
        pc.sum(pc.match_substring_regex(column, CONTROLS)).as_py() or 0
        for column in (first, second)
        if _holds_byte(column, CONTROLS_BEGIN)
    )
    if cells < max(CONTROL_CELLS, CONTROL_SHARE * 2 * len(first)):
        return []
    return [
        f"{cells:,} sentences hold control characters (U+0080 to U+009F): was Windows-1252 "
        "converted as Latin-1? Convert the original by iconv -f WINDOWS-1252 -t UTF-8"
    ]


def _reader(
    source: Source, kind: FileKind, *, quoted: bool, score_needed: bool
) -> tuple[Columns, Iterator[RowBatch], Tally]:
    match kind:
        case FileKind.CSV:
            return read_delimited(source, ",", quoted=quoted, score_needed=score_needed)
        case FileKind.TSV:
            return read_delimited(source, "\t", quoted=quoted, score_needed=score_needed)
        case FileKind.JSONL:
            return *read_json_lines(source, score_needed=score_needed), Tally()
        case FileKind.PARQUET:
            return *read_parquet(source, score_needed=score_needed), Tally()
        case FileKind.ARROW:
            return *read_arrow(source, score_needed=score_needed), Tally()


def _streamed(label: str, batches: Iterator[RowBatch], *, score_needed: bool) -> Iterator[pa.Table]:
    """The checked batches as tables, each a `datasets.Dataset` of the declared features."""
    stay_offline()
    import datasets

    features = datasets.Features(
        first=datasets.Value("string"),
        second=datasets.Value("string"),
        score=datasets.Value("float64"),
        row=datasets.Value("int64"),
        split=datasets.Value("string"),
    )
    info = datasets.DatasetInfo(features=features)
    for batch in batches:
        table = checked_table(batch, label, score_needed=score_needed)
        # With a fingerprint given, the library does not hash the sentences to make one.
        yield datasets.Dataset(table, info=info, fingerprint="pairs").with_format("arrow")[:]


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
