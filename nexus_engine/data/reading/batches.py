"""Check the rows from a reader, a few thousand at a time, and convert them to Arrow."""

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
    "MAX_CELL_BYTES",
    "NoScoreError",
    "RowBatch",
    "checked_table",
    "count_lacking_scores",
]

BATCH_ROWS = 8192
MAX_CELL_BYTES = 1_000_000
"""Of a sentence in UTF-8. The model reads a few hundred words; a longer cell is a document, or has
an unclosed quote."""


@dataclass(frozen=True, slots=True, repr=False)
class RowBatch:
    """Some rows of a file, as its reader yields them."""

    first: Sequence[str] | pa.Array
    second: Sequence[str] | pa.Array
    scores: Sequence[str | float | None] | pa.Array | None
    """Numbers, or text that may be numbers; None when the file has no score column."""
    rows: Sequence[int]
    """The number of each row in the file, from 1."""
    splits: Sequence[str] | pa.Array | None = None
    """The cells of the column `split`; None without one."""


class NoScoreError(DataError):
    """A refusal of a row whose score is empty or not a number; `count` rows of its batch are so."""

    def __init__(self, label: str, row: int, *, empty: bool, count: int) -> None:
        super().__init__(f"{label}:{row}: {_no_score(empty=empty)}; correct or remove the row")
        self.label, self.row, self.empty, self.count = label, row, empty, count

    def counted(self, count: int) -> DataError:
        """The same refusal for `count` rows of the file."""
        if count == 1:
            return self
        reason = f"{_no_score(empty=self.empty)}, as in {count:,} rows"
        advice = f"{'fill' if self.empty else 'correct'} or remove them"
        return row_error(self.label, self.row, f"{reason}; {advice}")


def _no_score(*, empty: bool) -> str:
    return "the score is empty" if empty else "the score is not a number"


def checked_table(batch: RowBatch, label: str, *, score_needed: bool) -> pa.Table:
    """`batch` as a table: first, second and split (string), score (float64), row (int64).

    Missing values are null. Raises DataError for a sentence that is blank, too long or not text.
    For a score that is not a finite number it raises DataError if `score_needed`; else the score
    becomes null.
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
        words = batch.splits
        splits = words if isinstance(words, pa.Array) else pa.array(words, pa.string())
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
            index = next(i for i, cell in enumerate(cells) if not _is_encodable(cell))
            reason = f"the {which} sentence holds half of a surrogate pair, which is not text"
            raise row_error(label, rows[index], f"{reason}; correct or remove it") from None
    lengths = pc.binary_length(column).to_numpy(zero_copy_only=False)
    if len(lengths) and lengths.max() > MAX_CELL_BYTES:
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
        index = _first_true(bad)
        row = rows[index]
        cell = cells[index].as_py() if isinstance(cells, pa.Array) else cells[index]
        if _lacks_score(cell, empty=True):
            raise NoScoreError(label, row, empty=True, count=_count_lacking(cells, empty=True))
        assert cell is not None
        reason = class_word_reason(cell) or _bad_score_reason(cell)
        if reason is None:
            raise NoScoreError(label, row, empty=False, count=_count_lacking(cells, empty=False))
        raise row_error(label, row, reason)
    return pc.if_else(bad, None, numbers)


def _parsed(cells: Sequence[str | float | None]) -> pa.Array:
    try:
        if not isinstance(cells[0], str):
            return pa.array(cells, pa.float64())
        # Arrow's parser is many times faster than a loop and rounds in the same way.
        return pc.cast(pc.utf8_trim_whitespace(pa.array(cells, pa.string())), pa.float64())
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        return pa.array([_number(cell) for cell in cells], pa.float64())


def _number(cell: str | float | None) -> float | None:
    if isinstance(cell, str):
        return float(cell) if is_number(cell) else None
    return cell


def count_lacking_scores(batch: RowBatch, *, empty: bool) -> int:
    """Count the rows of `batch` whose score is empty or, with `empty` false, not a number."""
    return 0 if batch.scores is None else _count_lacking(batch.scores, empty=empty)


def _count_lacking(cells: Sequence[str | float | None] | pa.Array, *, empty: bool) -> int:
    scores = cells.to_pylist() if isinstance(cells, pa.Array) else cells
    return sum(_lacks_score(score, empty=empty) for score in scores)


def _lacks_score(score: str | float | None, *, empty: bool) -> bool:
    if score is None or (isinstance(score, str) and not score.strip()):
        return empty
    return not empty and isinstance(score, str) and not is_number(score)


def _bad_score_reason(score: str | float) -> str | None:
    """Why a score cannot be used; None if it is just not a number."""
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
