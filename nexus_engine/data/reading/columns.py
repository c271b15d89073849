"""Find the columns of the sentences and the score, by name or, without a header, by position."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nexus_engine.data.messages import file_error, looks_like_name, row_error, shown_names
from nexus_engine.data.reading.content_columns import (
    are_codes,
    holds_numbers,
    score_by_content,
    sentences_by_content,
    varies,
)
from nexus_engine.data.reading.named_columns import named_positions, numbered_positions
from nexus_engine.data.reading.numbers import is_comma_number, is_number
from nexus_engine.errors import one_line

__all__ = ["ACCEPTED", "Columns", "columns_by_name", "columns_by_position"]

ACCEPTED = "name them sentence1, sentence2, score"
"""The names that messages recommend; the tables below list all that are read."""

# Compared without case, spaces, hyphens and underscores. The first line that matches wins.
SENTENCE_NAMES = (
    ("sentence1", "sentence2"),
    ("sentencea", "sentenceb"),
    ("sent1", "sent2"),
    ("senta", "sentb"),
    ("s1", "s2"),
    ("text1", "text2"),
    ("texta", "textb"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("query", "document"),
    ("query", "passage"),
    ("anchor", "positive"),
    ("first", "second"),
    ("left", "right"),
    ("a", "b"),
    ("sentence0", "sentence1"),
    ("#1string", "#2string"),  # the Microsoft Research Paraphrase Corpus
)
SCORE_NAMES = (
    "score",
    "similarityscore",
    "similarity",
    "relatednessscore",
    "relatedness",
    "goldscore",
    "gold",
    "rating",
    "label",
    "value",
    "quality",
)
SPLIT_NAME = "split"
MIN_JUDGED_ROWS = 3
"""With fewer rows below the first, the contents of a column do not count against it."""
BARE_WIDTH = 3
"""The number of columns of a table of two sentences and a score."""
WHOLE_NUMBER = re.compile(r"\s*\d{1,3}", re.ASCII)
DIGITS = re.compile(r"\d{1,3}\s*", re.ASCII)
WITH_COMMAS = "are written with a comma; write them with a point (4.5)"
ANY_SENTENCE_NAME = frozenset(name for pair in SENTENCE_NAMES for name in pair)


@dataclass(frozen=True, slots=True)
class Columns:
    """Positions, from 0, of the columns that are read; all others are ignored."""

    first: int
    second: int
    score: int | None
    names: tuple[str, ...] = ()
    """The names of the sentence columns and of the score column, if any; empty without a header."""
    split: int | None = None
    """The position of the column `split`; None without one."""
    split_name: str = ""
    """The name of that column as the file spells it; empty without one."""
    remark: str = ""
    """An additional note for the user; empty if there is none."""

    @property
    def has_header(self) -> bool:
        """Whether the file names its columns."""
        return bool(self.names)

    @property
    def read_names(self) -> tuple[str, ...]:
        """The names of all columns that are read: `names` and that of the split column."""
        return (*self.names, self.split_name) if self.split_name else self.names

    @property
    def note(self) -> str:
        """One line for the user on the columns that were read."""
        if self.names:
            # Each is a name of the tables above, or the user gave it, so it is no text of the data.
            return "columns " + ", ".join(one_line(name, 40) for name in self.names)
        used = [self.first, self.second] + ([] if self.score is None else [self.score])
        return "no header; columns " + ", ".join(str(position + 1) for position in used)

    @property
    def notes(self) -> tuple[str, ...]:
        """All lines for the user on the columns that were read."""
        return (self.note, self.remark) if self.remark else (self.note,)

    @property
    def score_name(self) -> str:
        """The squeezed name of the score column; empty if it has none."""
        return _squeezed(self.names[2]) if len(self.names) > 2 else ""

    @property
    def sentence_names(self) -> tuple[str, ...]:
        """The squeezed names of the sentence columns; empty without a header."""
        return tuple(_squeezed(name) for name in self.names[:2])


def columns_by_name(
    label: str,
    names: Sequence[str],
    *,
    score_needed: bool,
    row: int | None = None,
    given: Mapping[str, str] | None = None,
) -> Columns | None:
    """The columns of a file whose columns are called `names`; None if none are sentence names.

    `row` is the row of the header, if the file has one. `given` names columns by their roles
    (`named_columns`); the tables above name those that it does not.
    Raises DataError for names that occur twice, for a missing score column that is needed, and for
    a given name that the file lacks.
    """
    squeezed = [_squeezed(name) for name in names]
    location = label if row is None else f"{label}:{row}"
    at = named_positions(location, names, given or {})
    if "sentence1" not in at:
        pair = next((pair for pair in SENTENCE_NAMES if set(pair) <= set(squeezed)), None)
        if pair is None:
            _refuse_doubled(location, [name for name in squeezed if name in ANY_SENTENCE_NAME])
            return None
        _refuse_doubled(location, [name for name in squeezed if name in pair])
        at["sentence1"], at["sentence2"] = (squeezed.index(name) for name in pair)
    free = [name if place not in at.values() else "" for place, name in enumerate(squeezed)]
    if "score" not in at:
        score = next((name for name in SCORE_NAMES if name in free), None)
        if score is not None:
            _refuse_doubled(location, [name for name in free if name == score])
            at["score"] = free.index(score)
    _refuse_doubled(location, [name.strip().casefold() for name in names])
    if "score" not in at and score_needed:
        reason = f"no score column among {shown_names(names)}; name one score, similarity or label"
        raise file_error(location, reason)
    if "split" not in at and SPLIT_NAME in free:
        at["split"] = free.index(SPLIT_NAME)
    return _columns_at(names, at)


def _columns_at(names: Sequence[str], at: Mapping[str, int]) -> Columns:
    """The columns at these positions by role; `names` is empty without a header."""
    read = [at[role] for role in ("sentence1", "sentence2", "score") if role in at]
    split = at.get("split")
    return Columns(
        at["sentence1"],
        at["sentence2"],
        at.get("score"),
        tuple(names[place] for place in read) if names else (),
        split,
        names[split] if names and split is not None else "",
    )


def columns_by_position(
    label: str,
    sample: Sequence[tuple[int, list[str]]],
    delimiter: str,
    *,
    score_needed: bool,
    given: Mapping[str, str] | None = None,
) -> Columns:
    """The columns of a delimited file, from its first records as (row, cells).

    `given` names columns by their roles, or gives their numbers, from 1.

    The first record is a header if its names are known and none of its cells is a number. Without a
    header, the score is column 3 if that holds a number, else the only column that does, and the
    sentences are the first two of the other columns. A tab-separated table of more than three
    columns in another order is judged by the contents of its columns.
    Raises DataError if the columns remain in doubt.
    """
    row, head = sample[0]
    if len(head) < 2:
        reason = "one column found, two or three needed"
        raise row_error(label, row, f"{reason}; separate them with commas (.csv) or tabs (.tsv)")
    numbered = numbered_positions(f"{label}:{row}", head, given or {})
    if numbered is not None and "sentence1" in numbered:
        score = numbered.get("score")
        if score is None and score_needed:
            raise file_error(label, "columns: give the number of the score column, too")
        is_headed = score is not None and not is_number(head[score]) and bool(head[score].strip())
        return _columns_at(head if is_headed else (), numbered)
    if given or not any(is_number(cell) for cell in head):
        columns = columns_by_name(label, head, score_needed=score_needed, row=row, given=given)
        if columns is not None:
            return columns
    rest = [cells for _, cells in sample[1:] if len(cells) == len(head)]
    numeric = [column for column, cell in enumerate(head) if is_number(cell)]
    if delimiter == "\t" and len(head) > BARE_WIDTH and rest:
        columns = _by_content([head, *rest] if numeric else rest)
        if columns is not None and (numeric or not _is_header(head, columns)):
            return columns
    if not numeric:
        numeric = _empty_score(label, row, head, rest)
    always_numeric = {
        column
        for column in range(len(head))
        if rest and all(is_number(cells[column]) for cells in rest)
    }
    score = _score_column(numeric, always_numeric) if len(head) > 2 else None
    if score is None and len(head) > 2 and len(numeric) > 1:
        reason = f"no header, and more than one column could be the score; add one: {ACCEPTED}"
        raise row_error(label, row, reason)
    if score is None and score_needed:
        raise row_error(label, row, _no_score_reason([head, *rest]))
    first, second = [column for column in range(len(head)) if column != score][:2]
    if len(rest) >= MIN_JUDGED_ROWS and {first, second} & always_numeric:
        reason = f"no header, and a column of numbers where a sentence is expected; {ACCEPTED}"
        raise row_error(label, row, reason)
    if len(rest) >= MIN_JUDGED_ROWS and not _in_order([head, *rest], first, second, score):
        reason = f"no header, and it is in doubt which columns are meant; add one: {ACCEPTED}"
        raise row_error(label, row, reason)
    return Columns(first, second, score, remark=_remark(delimiter, [head, *rest], score))


def _by_content(rows: Sequence[Sequence[str]]) -> Columns | None:
    """Judge a wide table by the contents of its columns; None if they tell nothing new."""
    sentences = sentences_by_content(rows)
    if sentences is None or (sentences == (0, 1) and holds_numbers(rows, 2)):
        return None
    score = score_by_content(rows, sentences)
    return None if score is None else Columns(*sentences, score)


def _empty_score(
    label: str, row: int, head: Sequence[str], rest: Sequence[Sequence[str]]
) -> list[int]:
    """The column whose score the first row lacks; empty if no column could hold scores.

    Raises DataError for a first row of words above a column of numbers.
    """
    numbers = [column for column in range(len(head)) if rest and holds_numbers(rest, column)]
    if not numbers:
        return []
    empty = [column for column in numbers if not head[column].strip()]
    if len(empty) == 1 and not _is_header(head, None):
        return empty  # the missing score of this row is refused later
    reason = f"neither a header with known names nor a pair with a score{_as_header(head)}"
    raise row_error(label, row, f"{reason}; {ACCEPTED}, or correct the score")


def _is_header(head: Sequence[str], columns: Columns | None) -> bool:
    """Whether the cells of the first row, or just its sentences, are words without spaces."""
    read = range(len(head)) if columns is None else (columns.first, columns.second)
    return all(looks_like_name(head[column]) or not head[column].strip() for column in read)


def _no_score_reason(rows: Sequence[Sequence[str]]) -> str:
    """The reason why no column of a file without a header can be the score."""
    for column in range(len(rows[0])):
        if all(is_comma_number(row[column]) for row in rows):
            return f"the numbers in column {column + 1} {WITH_COMMAS}"
    reason = f"no header and no score in this row's {len(rows[0])} columns"
    return f"{reason}; add a column of numbers, or a header: {ACCEPTED}"


def _in_order(rows: Sequence[Sequence[str]], first: int, second: int, score: int | None) -> bool:
    """Whether a table, if it has more than three columns, can be in the default order."""
    if len(rows[0]) <= BARE_WIDTH:
        return True
    sentences_vary = varies(rows, first) and varies(rows, second)
    return sentences_vary and (score is None or not are_codes(rows, score))


def _remark(delimiter: str, rows: Sequence[Sequence[str]], score: int | None) -> str:
    """A note on a CSV whose decimal commas may have split the scores; empty for other files."""
    if delimiter != "," or score != 2 or len(rows[0]) != 4:
        return ""
    digits = all(WHOLE_NUMBER.fullmatch(row[2]) and DIGITS.fullmatch(row[3]) for row in rows)
    if not digits or len({row[3] for row in rows}) == len(rows):
        return ""
    return (
        "column 4 holds digits too and is ignored: if the scores are written with a comma (4,5), "
        "write them with a point (4.5)"
    )


def _score_column(numeric: list[int], always_numeric: set[int]) -> int | None:
    """The score's column, from those with a number in row 1 and those with one in all others."""
    if 2 in numeric:
        return 2
    if len(numeric) > 1:
        numeric = [column for column in numeric if column in always_numeric]
    return numeric[0] if len(numeric) == 1 else None


def _refuse_doubled(location: str, names: list[str]) -> None:
    doubled = [name for name, count in Counter(names).items() if name and count > 1]
    if doubled:
        reason = f"the column {shown_names(doubled[:1])} appears twice; rename or remove one"
        raise file_error(location, reason)


def _as_header(cells: Sequence[str]) -> str:
    """The cells as names in brackets; empty if one of them could be data."""
    return f" ({shown_names(cells)})" if all(looks_like_name(cell) for cell in cells) else ""


def _squeezed(name: str) -> str:
    return "".join(name.split()).casefold().replace("_", "").replace("-", "")
