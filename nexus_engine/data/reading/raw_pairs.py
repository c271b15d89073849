"""Read one file of pairs through the `datasets` library into Arrow.

A strict reader fills one `Dataset` a batch, which writes nothing to disk. `load_dataset` would not
do: it reads "NA" as missing and file names as patterns, does not know rows, and writes a lock (and,
without streaming, a copy of the sentences) into its cache folder. Nor would
`IterableDataset.from_generator`: it writes the same lock, and takes 59 times as long (measured,
200,000 pairs).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexus_engine.data.messages import file_error
from nexus_engine.data.reading.arrow_files import read_arrow, read_parquet
from nexus_engine.data.reading.batches import (
    NoScoreError,
    RowBatch,
    checked_table,
    count_lacking_scores,
)
from nexus_engine.data.reading.columns import Columns
from nexus_engine.data.reading.delimited import SeparatorError, Tally, read_delimited
from nexus_engine.data.reading.formats import FileKind
from nexus_engine.data.reading.json_lines import read_json_lines
from nexus_engine.data.reading.label_rows import read_label_rows
from nexus_engine.data.reading.offline import stay_offline
from nexus_engine.data.reading.separators import every_line_has_tabs
from nexus_engine.data.reading.skipping import BadRowError, Skipped
from nexus_engine.data.reading.sources import Source
from nexus_engine.errors import DataError
from nexus_engine.labels.verdicts import GRADES

__all__ = ["RawPairs", "one_array", "read_pairs"]

SEPARATED_BY = {";": "separated by semicolons", "|": "separated by vertical bars"}
"""The note on a file whose columns are separated by neither commas nor tabs."""
MAX_INT32_BYTES = 2**31 - 1
"""A string array with more bytes needs Arrow's large_string, which has 64-bit offsets."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RawPairs:
    """The pairs of one file, with the scores as the file gives them."""

    label: str
    first: pa.Array
    second: pa.Array
    scores: NDArray[np.float64] | None
    """(n,) float64; None if the file has no column of usable scores."""
    rows: NDArray[np.int64]
    """(n,) the row number of each pair in the file, from 1."""
    score_name: str
    """The squeezed name of the score column; empty without one."""
    notes: tuple[str, ...]
    sentence_names: tuple[str, ...] = ()
    """The squeezed names of the two sentence columns; empty without a header."""
    splits: pa.Array | None = None
    """The cells of the column `split`; None without one."""
    score_range: tuple[float, float] | None = None
    """Of a label file, whose grades have one scale and whose splits never change; else None."""
    labels: str = ""
    """Of a label file, the SHA-256 (hex) of its verdicts; "" for other data."""

    def __len__(self) -> int:
        return len(self.first)

    def take(self, indices: NDArray[np.intp]) -> RawPairs:
        """The pairs at `indices` (k,), in that order."""
        chosen = pa.array(indices)
        return replace(
            self,
            first=self.first.take(chosen),
            second=self.second.take(chosen),
            scores=None if self.scores is None else self.scores[indices],
            rows=self.rows[indices],
            splits=None if self.splits is None else self.splits.take(chosen),
        )


def read_pairs(
    source: Source,
    kind: FileKind,
    *,
    score_needed: bool,
    columns: Mapping[str, str] | None = None,
    skip_bad: bool = False,
) -> RawPairs:
    """Read all pairs of `source`.

    With `score_needed`, every row must have a finite score; without, the scores are kept only if
    all are finite. `columns` names columns by their roles (`named_columns`). With `skip_bad`, rows
    that cannot be used are left out, and a note counts them.
    Raises DataError with file, row and reason for a file that cannot be used.
    """
    if kind is FileKind.LABELS:
        return _label_pairs(source, columns or {})
    reader = _FileReader(source, score_needed, columns or {}, skip_bad)
    try:
        raw = reader.read_any(kind)
    except BadRowError as error:
        raise (error.with_advice() if score_needed else error) from None
    return replace(raw, notes=(*raw.notes, *source.remarks)) if source.remarks else raw


def _label_pairs(source: Source, columns: Mapping[str, str]) -> RawPairs:
    """The pairs of a label file, one for each that raters agree on."""
    if columns:
        raise file_error(source.label, "is a label file, whose columns are known; leave --columns")
    labels = read_label_rows(source)
    pairs = labels.combined.pairs
    if not pairs:
        raise file_error(source.label, labels.lacking("pairs"))
    return RawPairs(
        source.label,
        pa.array([pair.a for pair in pairs], pa.string()),
        pa.array([pair.b for pair in pairs], pa.string()),
        np.array([pair.score for pair in pairs], np.float64),
        np.arange(1, len(pairs) + 1),
        "grade",
        (labels.note, *labels.combined.pairs_left_out.lines()),
        splits=pa.array([pair.part for pair in pairs], pa.string()),
        score_range=(float(GRADES[0]), float(GRADES[-1])),
        labels=labels.fingerprint,
    )


@dataclass(frozen=True, slots=True)
class _FileReader:
    """Reads a file as one kind or another."""

    source: Source
    score_needed: bool
    columns: Mapping[str, str] = field(default_factory=dict)
    skip_bad: bool = False

    def read_any(self, kind: FileKind) -> RawPairs:
        """Read the file as what its name says, or by the separator that its columns have."""
        try:
            return self.read_as_named(kind)
        except SeparatorError as error:
            refusal = error
        if refusal.separator not in SEPARATED_BY:
            raise refusal
        try:
            raw = self.read(FileKind.CSV, separator=refusal.separator)
        except SeparatorError:
            raise refusal from None
        return replace(raw, notes=(SEPARATED_BY[refusal.separator], *raw.notes))

    def read_as_named(self, kind: FileKind) -> RawPairs:
        """Read the file as what its name says, or with tabs if each line of a CSV holds some."""
        if kind is FileKind.TSV:
            return self.read_tsv()
        if kind is FileKind.CSV and every_line_has_tabs(self.source):
            if self.skip_bad:
                # Rows left out must not hide that the file has another separator.
                try:
                    return replace(self, skip_bad=False).read_tsv_or_csv()
                except DataError:
                    pass
            return self.read_tsv_or_csv()
        return self.read(kind)

    def read_tsv_or_csv(self) -> RawPairs:
        """Read a file whose name ends in .csv and whose lines all hold tabs."""
        try:
            raw = self.read_tsv()
        except DataError as tsv_error:
            try:
                return self.read(FileKind.CSV)
            except DataError as error:
                if isinstance(error, SeparatorError) and error.separator in SEPARATED_BY:
                    raise
                raise tsv_error from None
        return replace(raw, notes=("separated by tabs, whatever its name says", *raw.notes))

    def read_tsv(self) -> RawPairs:
        """Read quotes as quoting or, if that fails, as the plain characters of many TSV files.

        GLUE and the STS Benchmark do not quote their cells: a sentence there may start with a
        quotation and go on after it.
        """
        try:
            return self.read(FileKind.TSV)
        except SeparatorError:
            raise
        except DataError as error:
            quoted_error = error
        try:
            plain = self.read(FileKind.TSV, quoted=False)
        except DataError as error:
            # The attempt that got further names the true fault.
            raise (error if _row_of(error) >= _row_of(quoted_error) else quoted_error) from None
        if _quotes_are_plain(plain):
            return replace(plain, notes=(*plain.notes, "quotes are taken as plain characters"))
        raise quoted_error

    def read(self, kind: FileKind, *, quoted: bool = True, separator: str = ",") -> RawPairs:
        """Read the file as `kind`; with `quoted` false, a quote is an ordinary character.

        `separator` stands between the columns of a CSV.
        """
        label, needed = self.source.label, self.score_needed
        batches: Iterator[RowBatch] | None = None
        skipped = Skipped() if self.skip_bad else None
        try:
            columns, batches, tally = self._open(
                kind, quoted=quoted, separator=separator, skipped=skipped
            )
            tables = list(_streamed(label, batches, score_needed=needed, skipped=skipped))
            if not tables and skipped is not None and skipped.first is not None:
                raise skipped.first
        except DataError as error:
            # The frames of the traceback hold the open file and some of its rows. Dropping them
            # here closes the file now, however long the error lives.
            error.__context__ = None
            if isinstance(error, NoScoreError) and batches is not None:
                error = _counted_error(error, batches)
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
            (
                *columns.notes,
                *tally.notes(),
                *_control_notes(first, second),
                *(skipped.notes() if skipped is not None else ()),
            ),
            columns.sentence_names,
            None
            if columns.split is None
            else pa.concat_arrays([chunk for table in tables for chunk in table["split"].chunks]),
        )

    def _open(
        self, kind: FileKind, *, quoted: bool, separator: str, skipped: Skipped | None
    ) -> tuple[Columns, Iterator[RowBatch], Tally]:
        """The columns, the batches and the tally of a file of any kind."""
        source, needed, given = self.source, self.score_needed, self.columns
        match kind:
            case FileKind.CSV | FileKind.TSV:
                return read_delimited(
                    source,
                    separator if kind is FileKind.CSV else "\t",
                    quoted=quoted,
                    score_needed=needed,
                    given=given,
                    skipped=skipped,
                )
            case FileKind.JSONL:
                lines = read_json_lines(source, score_needed=needed, given=given, skipped=skipped)
                return *lines, Tally()
            case FileKind.PARQUET:
                return *read_parquet(source, score_needed=needed, given=given), Tally()
            case FileKind.LABELS:
                raise ValueError("a label file is read by _label_pairs")
            case FileKind.ARROW:
                return *read_arrow(source, score_needed=needed, given=given), Tally()


def _row_of(error: DataError) -> int:
    """The row that a refusal names; 0 if it concerns the whole file."""
    match = re.search(r":(\d+): ", str(error))
    return int(match[1]) if match else 0


def _counted_error(error: NoScoreError, batches: Iterator[RowBatch]) -> DataError:
    """The refusal of a row without a score, with the number of such rows in the file."""
    count = error.count
    try:
        count += sum(count_lacking_scores(batch, empty=error.empty) for batch in batches)
    except DataError:  # another fault further down, which is refused once this one is corrected
        return error
    return error.counted(count)


CONTROLS = "[\u0080-\u009f]"
"""C1 control characters. Text has none. Windows-1252 that was read as Latin-1 has them in the place
of quotes and dashes, its bytes 0x80 to 0x9f."""
FIRST_CONTROL_BYTE = b"\xc2"
"""The first byte of each in UTF-8. Searching for it takes a tenth of the time of the expression."""
MIN_CONTROL_CELLS = 2
MIN_CONTROL_SHARE = 0.01
"""With fewer cells, or a smaller share of them, control characters count as accidents."""


def _holds_byte(column: pa.Array, byte: bytes) -> bool:
    content = column.buffers()[2]
    return content is not None and content.to_pybytes().find(byte) >= 0


def _control_notes(first: pa.Array, second: pa.Array) -> list[str]:
    count = sum(
        pc.sum(pc.match_substring_regex(column, CONTROLS)).as_py() or 0
        for column in (first, second)
        if _holds_byte(column, FIRST_CONTROL_BYTE)
    )
    if count < max(MIN_CONTROL_CELLS, MIN_CONTROL_SHARE * 2 * len(first)):
        return []
    return [
        f"{count:,} sentences hold control characters (U+0080 to U+009F): was Windows-1252 "
        "converted as Latin-1? Convert the original by iconv -f WINDOWS-1252 -t UTF-8"
    ]


def _streamed(
    label: str, batches: Iterator[RowBatch], *, score_needed: bool, skipped: Skipped | None
) -> Iterator[pa.Table]:
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
        table = checked_table(batch, label, score_needed=score_needed, skipped=skipped)
        if not table.num_rows:
            continue
        # A given fingerprint keeps the library from hashing the sentences for one.
        yield datasets.Dataset(table, info=info, fingerprint="pairs").with_format("arrow")[:]


def one_array(chunks: list[pa.Array]) -> pa.Array:
    """The chunks as one string array, or a large_string array if they hold more than 2 GB."""
    if sum(chunk.nbytes for chunk in chunks) > MAX_INT32_BYTES:
        chunks = [chunk.cast(pa.large_string()) for chunk in chunks]
    return pa.concat_arrays(chunks)


def _quotes_are_plain(raw: RawPairs) -> bool:
    """Whether the quotes at the ends of cells are text rather than broken quoting.

    In a file that quotes its cells, nearly every cell with a quote at one end has one at the other.
    """
    one_end = both_ends = 0
    for column in (raw.first, raw.second):
        starts = pc.starts_with(column, '"')
        ends = pc.ends_with(column, '"')
        one_end += pc.sum(pc.xor(starts, ends)).as_py() or 0
        both_ends += pc.sum(pc.and_(starts, ends)).as_py() or 0
    return bool(one_end > both_ends)
