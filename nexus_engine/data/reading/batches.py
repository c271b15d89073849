"""Check the rows from a reader, a few thousand at a time, and convert them to Arrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexus_engine.data.classes import class_word_reason
from nexus_engine.data.reading.numbers import is_comma_number, is_number
from nexus_engine.data.reading.skipping import BadRowError, Fault, Skipped

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


class NoScoreError(BadRowError):
    """A refusal of a row whose score is empty or not a number; `count` rows of its batch are so."""

    def __init__(self, label: str, row: int, *, empty: bool, count: int) -> None:
        reason = f"{_no_score(empty=empty)}; correct or remove the row"
        super().__init__(label, row, reason, Fault.SCORE)
        self.label, self.row, self.empty, self.count = label, row, empty, count

    def counted(self, count: int) -> BadRowError:
        """The same refusal for `count` rows of the file."""
        if count == 1:
            return self
        reason = f"{_no_score(empty=self.empty)}, as in {count:,} rows"
        advice = f"{'fill' if self.empty else 'correct'} or remove them"
        return BadRowError(self.label, self.row, f"{reason}; {advice}", Fault.SCORE)


def _no_score(*, empty: bool) -> str:
    return "the score is empty" if empty else "the score is not a number"


def checked_table(
    batch: RowBatch, label: str, *, score_needed: bool, skipped: Skipped | None = None
) -> pa.Table:
    """`batch` as a table: first, second and split (string), score (float64), row (int64).

    Missing values are null. Raises BadRowError for a sentence that is missing, blank, too long or
    not text. For a score that is not a finite number it raises BadRowError if `score_needed`; else
    the score becomes null. If `skipped` is given, such rows are left out and counted instead.
    """
    try:
        return _table(batch, label, score_needed=score_needed)
    except BadRowError as error:
        if skipped is None:
            raise
        return _table(_without_bad(batch, error, skipped), label, score_needed=score_needed)


def _table(batch: RowBatch, label: str, *, score_needed: bool) -> pa.Table:
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
            reason = f"{reason}; correct or remove it"
            raise BadRowError(label, rows[index], reason, Fault.SENTENCE) from None
    empty = f"the {which} sentence is empty; fill or remove the row"
    if column.null_count:
        raise BadRowError(label, rows[_first_true(column.is_null())], empty, Fault.SENTENCE)
    lengths = pc.binary_length(column).to_numpy(zero_copy_only=False)
    if len(lengths) and lengths.max() > MAX_CELL_BYTES:
        reason = f"the {which} sentence is longer than 1 MB; shorten or remove it"
        raise BadRowError(label, rows[int(lengths.argmax())], reason, Fault.SENTENCE)
    blank = pc.equal(pc.binary_length(pc.utf8_trim_whitespace(column)), 0)
    if pc.any(blank).as_py():
        raise BadRowError(label, rows[_first_true(blank)], empty, Fault.SENTENCE)
    return column


def _without_bad(batch: RowBatch, first: BadRowError, skipped: Skipped) -> RowBatch:
    """The rows of `batch` that can be used; the others are counted."""
    no_sentence = _unusable(batch.first) | _unusable(batch.second)
    keep = ~no_sentence
    if batch.scores is not None:
        numbers = batch.scores if isinstance(batch.scores, pa.Array) else _parsed(batch.scores)
        keep &= ~_unfinite(numbers).to_numpy(zero_copy_only=False)
    skipped.add_rows(Fault.SENTENCE, int(no_sentence.sum()), first)
    skipped.add_rows(Fault.SCORE, int((~keep & ~no_sentence).sum()), first)
    return RowBatch(
        _kept(batch.first, keep),
        _kept(batch.second, keep),
        None if batch.scores is None else _kept(batch.scores, keep),
        list(compress(batch.rows, keep)),
        None if batch.splits is None else _kept(batch.splits, keep),
    )


def _unusable(cells: Sequence[str] | pa.Array) -> NDArray[np.bool_]:
    """Whether each of these is no sentence."""
    column = cells
    if not isinstance(cells, pa.Array):
        column = pa.array([cell if _is_encodable(cell) else None for cell in cells], pa.string())
    length = pc.binary_length(column)
    blank = pc.equal(pc.binary_length(pc.utf8_trim_whitespace(column)), 0)
    bad = pc.fill_null(pc.or_(pc.greater(length, MAX_CELL_BYTES), blank), fill_value=True)
    flags: NDArray[np.bool_] = bad.to_numpy(zero_copy_only=False)
    return flags


Cell = TypeVar("Cell")


def _kept(cells: Sequence[Cell] | pa.Array, keep: NDArray[np.bool_]) -> Sequence[Cell] | pa.Array:
    if isinstance(cells, pa.Array):
        return cells.filter(pa.array(keep))
    return list(compress(cells, keep))


def _unfinite(numbers: pa.Array) -> pa.Array:
    return pc.fill_null(pc.invert(pc.is_finite(numbers)), fill_value=True)


def _scores(
    cells: Sequence[str | float | None] | pa.Array, rows: Sequence[int], label: str, *, needed: bool
) -> pa.Array:
    numbers = cells if isinstance(cells, pa.Array) else _parsed(cells)
    bad = _unfinite(numbers)
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
        raise BadRowError(label, row, reason, Fault.SCORE)
    return pc.if_else(bad, None, numbers)


def _parsed(cells: Sequence[str | float | None]) -> pa.Array:
    try:
        if not cells or not isinstance(cells[0], str):
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
