"""Rows on their way from a reader to Arrow, checked a few thousand at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nexus_engine.data.classes import class_word_reason
from nexus_engine.data.messages import row_error
from nexus_engine.data.reading.numbers import is_comma_number, is_number
from nexus_engine.errors import DataError

__all__ = [
    "BATCH_ROWS",
    "CELL_BYTES",
    "NoScoreError",
    "RowBatch",
    "checked_table",
    "count_lacking_scores",
]

BATCH_ROWS = 8192
CELL_BYTES = 1_000_000
"""The longest sentence, in UTF-8 bytes. The model reads a few hundred words; a cell beyond this
is a whole document, or a quote that was never closed."""


@dataclass(frozen=True, slots=True, repr=False)
class RowBatch:
    """Some rows of a file, as its reader found them."""

    first: Sequence[str] | pa.Array
    second: Sequence[str] | pa.Array
    scores: Sequence[str | float | None] | pa.Array | None
    """Numbers, or text that may be numbers; None when the file has no score column."""
    rows: Sequence[int]
    """The row of each in the file, from 1."""
    splits: Sequence[str] | pa.Array | None = None
    """What a column called `split` says of each; None without one."""


class NoScoreError(DataError):
    """A refusal of a row whose score is empty or no number, as are `count` of its batch."""

    def __init__(self, label: str, row: int, *, empty: bool, count: int) -> None:
        super().__init__(f"{label}:{row}: {_no_score(empty=empty)}; correct or remove the row")
        self.label, self.row, self.empty, self.count = label, row, empty, count

    def counted(self, count: int) -> DataError:
        """The same refusal for `count` rows of the file."""
        if count == 1:
            return self
        mend = "fill" if self.empty else "correct"
        reason = f"{_no_score(empty=self.empty)}, as in {count:,} rows; {mend} or remove them"
        return row_error(self.label, self.row, reason)


def _no_score(*, empty: bool) -> str:
    return "the score is empty" if empty else "the score is not a number"


def checked_table(batch: RowBatch, label: str, *, score_needed: bool) -> pa.Table:
    """`batch` as a table: first, second and split (string), score (float64), row (int64).

    What is absent is null.
    Raises DataError for a sentence that is blank, too long or not text, and, when `score_needed`,
    for a score that is not a finite number. Otherwise such a score becomes null.
    """
    first = _sentences(batch.first, batch.rows, label, "first")
    second = _sentences(batch.second, batch.rows, label, "second")
    if batch.scores is None:
        scores = pa.nulls(len(first), pa.float64())
    else:
        scores = _scores(batch.scores, batch.rows, label, needed=score_needed)
    rows = pa.array(np.asarray(batch.rows, dtype=np.int64))
    splits = pa.nulls(len(first), pa.string())
    if batch.splits is not None:
        given = batch.splits
        splits = given if isinstance(given, pa.Array) else pa.array(given, pa.string())
    return pa.table(
        [first, second, scores, rows, splits], names=["first", "second", "score", "row", "split"]
    )


def _sentences(
    cells: Sequence[str] | pa.Array, rows: Sequence[int], label: str, which: str
) -> pa.Array:
    if isinstance(cells, pa.Array):
        column = cells
    else:
        try:
            column = pa.array(cells, type=pa.string())
        except UnicodeEncodeError:
            at = next(i for i, cell in enumerate(cells) if not _is_encodable(cell))
            reason = f"the {which} sentence holds half of a surrogate pair, which is not text"
            raise row_error(label, rows[at], f"{reason}; correct or remove it") from None
    lengths = pc.binary_length(column).to_numpy(zero_copy_only=False)
    if len(lengths) and lengths.max() > CELL_BYTES:
        reason = f"the {which} sentence is longer than 1 MB; shorten or remove it"
        raise row_error(label, rows[int(lengths.argmax())], reason)
    blank = pc.equal(pc.binary_length(pc.utf8_trim_whitespace(column)), 0)
    if pc.any(blank).as_py():
        reason = f"the {which} sentence is empty; fill or remove the row"
        raise row_error(label, rows[_first_true(blank)], reason)
    return column


def _scores(
    cells: Sequence[str | float | None] | pa.Array, rows: Sequence[int], label: str, *, needed: bool
) -> pa.Array:
    numbers = cells if isinstance(cells, pa.Array) else _parsed(cells)
    bad = pc.fill_null(pc.invert(pc.is_finite(numbers)), fill_value=True)
    if not pc.any(bad).as_py():
        return numbers
    if needed:
        at = _first_true(bad)
        given = cells[at].as_py() if isinstance(cells, pa.Array) else cells[at]
        if _lacks(given, empty=True):
            raise NoScoreError(label, rows[at], empty=True, count=_lacking(cells, empty=True))
        assert given is not None
        reason = class_word_reason(given) or _what_is_wrong(given)
        if reason is None:
            raise NoScoreError(label, rows[at], empty=False, count=_lacking(cells, empty=False))
        raise row_error(label, rows[at], reason)
    return pc.if_else(bad, None, numbers)


def _parsed(cells: Sequence[str | float | None]) -> pa.Array:
    try:
        if not isinstance(cells[0], str):
            return pa.array(cells, pa.float64())
        # Arrow's parser is many times faster than a loop and rounds the same.
        return pc.cast(pc.utf8_trim_whitespace(pa.array(cells, pa.string())), pa.float64())
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        return pa.array([_number(cell) for cell in cells], pa.float64())


def _number(cell: str | float | None) -> float | None:
    if isinstance(cell, str):
        return float(cell) if is_number(cell) else None
    return cell


def count_lacking_scores(batch: RowBatch, *, empty: bool) -> int:
    """The rows of `batch` whose score is empty or, with `empty` false, no number."""
    return 0 if batch.scores is None else _lacking(batch.scores, empty=empty)


def _lacking(cells: Sequence[str | float | None] | pa.Array, *, empty: bool) -> int:
    listed = cells.to_pylist() if isinstance(cells, pa.Array) else cells
    return sum(_lacks(cell, empty=empty) for cell in listed)


def _lacks(score: str | float | None, *, empty: bool) -> bool:
    if score is None or (isinstance(score, str) and not score.strip()):
        return empty
    return not empty and isinstance(score, str) and not is_number(score)


def _what_is_wrong(score: str | float) -> str | None:
    """Why a score cannot be used; None where it is simply no number."""
    if isinstance(score, str) and is_comma_number(score):
        return "the score is written with a comma and is not a number; write a point (4.5)"
    if isinstance(score, str) and not is_number(score):
        return None
    reason = "the score is NaN" if np.isnan(float(score)) else "the score is infinite"
    return f"{reason}; correct or remove the row"


def _is_encodable(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


def _first_true(flags: pa.Array) -> int:
    return int(pc.index(flags, True).as_py())
