"""Files of records: a question with its passages, and perhaps negatives or a mark, in each row."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain, islice
from typing import Any, NamedTuple

from nexus_engine.data.messages import file_error, row_error, shown_names
from nexus_engine.data.questions.fields import (
    MARKS,
    NEGATIVES,
    Fields,
    recognise,
    recognise_placed,
    squeezed,
)
from nexus_engine.data.questions.gathering import Gathered, checked_text
from nexus_engine.data.reading.columns import SENTENCE_NAMES
from nexus_engine.data.reading.formats import FileKind
from nexus_engine.data.reading.records import Record, read_records
from nexus_engine.data.reading.sources import Source
from nexus_engine.data.split_column import SPELLINGS
from nexus_engine.errors import DataError

__all__ = ["HEAD_ROWS", "AnswerPlace", "gather_records", "head_names", "mark_of"]

HEAD_ROWS = 1000
"""Rows by which a file's fields, and whether a column of them holds marks, are told."""
NAME_THEM = "name the columns, for example --columns question=NAME,positive=NAME"


class AnswerPlace(NamedTuple):
    """Where in the documents the answer of a question stands: what its record says of it."""

    label: str
    row: int
    question: int
    text: str
    """"" where the record names a source alone."""
    source: str
    heading: str
    is_answer: bool


class _Splits:
    """What the column `split` of one file says."""

    def __init__(self) -> None:
        self.named: dict[str, int] = {}
        self.unknown = 0
        self.first_unknown = 0

    def read(self, row: int, value: object) -> str:
        """The split that `value` names; "" where it names none, which is counted."""
        word = value.strip().casefold() if isinstance(value, str) else value
        if word is None or word == "":
            return ""
        split = SPELLINGS.get(word) if isinstance(word, str) else None
        if split is None:
            self.first_unknown = self.first_unknown or row
            self.unknown += 1
            return ""
        self.named[split] = self.named.get(split, 0) + 1
        return split

    def ignored(self, label: str) -> str:
        """Why the column is ignored; "" where it is not. DataError where few words name none."""
        if self.unknown:
            if 2 * self.unknown < self.unknown + sum(self.named.values()):
                reason = "the split is none of train, dev (or validation) and test"
                advice = "correct it, or rename the column to have it ignored"
                raise row_error(label, self.first_unknown, f"{reason}; {advice}")
            return f"row {self.first_unknown} says neither train, dev (or validation) nor test"
        if self.named and "train" not in self.named:
            return "it names no train question"
        return ""


def head_names(head: list[Record]) -> list[str]:
    """The names of all fields in the first records, in order."""
    return list(dict.fromkeys(name for _, record in head for name in record))


def gather_records(
    into: Gathered,
    source: Source,
    kind: FileKind,
    *,
    split: str = "",
    columns: Mapping[str, str] | None = None,
    skip_bad: bool = False,
    places: list[AnswerPlace] | None = None,
) -> list[str]:
    """Gather the records of `source`; notes on what was read.

    A value may be one text or a list of texts; rows of the same question are joined. Beside
    documents, `places` takes what is said of each answer, and no passage is added here.
    Raises DataError with the row for what cannot be used; with `skip_bad` such rows are counted.
    """

    def leave_out(_: DataError) -> None:
        into.rows += 1
        into.skipped += 1

    records = read_records(source, kind, leave_out if skip_bad else None)
    head = list(islice(records, HEAD_ROWS))
    if not head:
        raise file_error(source.label, "holds no questions; give at least one row")
    names = head_names(head)
    find = recognise if places is None else recognise_placed
    fields = find(names, columns, label=source.label)
    if fields is None:
        reason = f"no question with an answer among the columns {shown_names(names)}"
        raise file_error(source.label, f"{reason}; {NAME_THEM}")
    fields, notes = _with_mark(fields, head, source.label, columns)
    reader = _Reader(into, source.label, fields, split, columns, places)
    first = len(into)
    for row, record in chain(head, records):
        into.rows += 1
        try:
            reader.read(row, record)
        except DataError:
            if not skip_bad:
                raise
            into.skipped += 1
    notes.insert(0, fields.note)
    if split and fields.split:
        notes.append("the column split is ignored: the files are the splits")
    elif fields.split:
        reason = reader.splits.ignored(source.label)
        if reason:
            notes.append(f"the column split is ignored: {reason}")
            into.split[first:] = [""] * (len(into) - first)
            into.moved = 0
        elif reader.splits.named:
            sizes = ", ".join(f"{count:,} {name}" for name, count in reader.splits.named.items())
            notes.append(f"split as the column split says: {sizes} rows")
    return notes + source.remarks


def _with_mark(
    fields: Fields, head: list[Record], label: str, columns: Mapping[str, str] | None
) -> tuple[Fields, list[str]]:
    """`fields` without a mark where the column holds something else, and a note on that.

    Raises DataError for graded pairs, whose low scores are no answers.
    """
    if not fields.mark:
        return fields, []
    values = [record.get(fields.mark) for _, record in head]
    values = [value for value in values if not _is_empty(value)]
    if values and all(mark_of(value) is not None for value in values):
        return fields, ["1 marks an answer, 0 a negative"]
    if "score" in (columns or {}) or squeezed(fields.mark) in MARKS:
        return fields, []  # each row is refused or skipped
    if (squeezed(fields.question), squeezed(fields.positive)) in SENTENCE_NAMES and values:
        reason = "the scores are not 0 and 1 alone, so these are graded pairs"
        raise file_error(label, f"{reason}; train on them with --task pairs")
    note = f"the column {shown_names([fields.mark])} is ignored: it is not 0 and 1 alone"
    return replace(fields, mark=""), [note]


def mark_of(value: object) -> int | None:
    """1 or 0 as a file may write them; None for anything else."""
    if isinstance(value, str):
        word = value.strip().casefold()
        return {"1": 1, "0": 0, "1.0": 1, "0.0": 0, "true": 1, "false": 0}.get(word)
    if isinstance(value, int | float) and value in (0, 1):
        return int(value)
    return None


def _is_empty(value: object) -> bool:
    return value is None or value != value or (isinstance(value, str) and not value.strip())


class _Reader:
    """Gathers the records of one file."""

    def __init__(
        self,
        into: Gathered,
        label: str,
        fields: Fields,
        split: str,
        columns: Mapping[str, str] | None,
        places: list[AnswerPlace] | None,
    ) -> None:
        self._into, self._label, self._fields, self._split = into, label, fields, split
        self._places = places
        self._negatives_given = "negative" in (columns or {})
        self._negatives: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.splits = _Splits()

    def read(self, row: int, record: Mapping[str, Any]) -> None:
        """Gather one record. Raises DataError, before anything is gathered, for a bad one."""
        fields, label = self._fields, self._label
        needed = (fields.question, fields.positive) if self._places is None else (fields.question,)
        for name in needed:
            if name not in record:
                raise row_error(label, row, f"the field {name} is missing; fill or remove the row")
        text = checked_text(label, row, record[fields.question], "question")
        is_answer = self._is_answer(row, record)
        positives = [
            checked_text(label, row, value, "answer") for value in _texts(self._positive(record))
        ]
        named = "" if self._places is None else self._word(record, fields.source)
        if not positives and not named:
            raise row_error(label, row, "the question has no answer; fill or remove the row")
        negatives = [
            checked_text(label, row, value, "negative")
            for name in self._negatives_of(record)
            for value in _texts(record.get(name))
        ]
        own = self.splits.read(row, record.get(fields.split)) if fields.split else ""
        group = record.get(fields.group) if fields.group else None
        question = self._into.question(
            label,
            row,
            text,
            split=self._split or own,
            group="" if group is None else str(group),
        )
        self._answer(row, question, positives, named, is_answer, record)
        for negative in negatives:
            self._into.negative(question, self._into.passages.add(negative))

    def _answer(
        self,
        row: int,
        question: int,
        positives: list[str],
        named: str,
        is_answer: bool,
        record: Mapping[str, Any],
    ) -> None:
        if self._places is not None:
            heading = self._word(record, self._fields.heading)
            for text in positives or [""]:
                place = AnswerPlace(self._label, row, question, text, named, heading, is_answer)
                self._places.append(place)
            return
        for text in positives:
            passage = self._into.passages.add(text)
            if is_answer:
                self._into.answer(question, passage)
            else:
                self._into.negative(question, passage)

    def _positive(self, record: Mapping[str, Any]) -> object:
        # A column without a name, as pandas writes for its index, is not the field "".
        return record.get(self._fields.positive) if self._fields.positive else None

    @staticmethod
    def _word(record: Mapping[str, Any], name: str) -> str:
        """The text of the field `name`, where the file has it; else ""."""
        value = record.get(name) if name else None
        return value.strip() if isinstance(value, str) else ""

    def _is_answer(self, row: int, record: Mapping[str, Any]) -> bool:
        """Whether the row's mark is 1, as it is without marks. DataError for any other mark."""
        if not self._fields.mark:
            return True
        value = record.get(self._fields.mark)
        mark = mark_of(value)
        if mark is None:
            what = "empty" if _is_empty(value) else "neither 1 (an answer) nor 0 (no answer)"
            name = shown_names([self._fields.mark])
            raise row_error(self._label, row, f"the {name} is {what}; fill or remove the row")
        return mark == 1

    def _negatives_of(self, record: Mapping[str, Any]) -> tuple[str, ...]:
        """The negatives' fields; a record may have some that no record before it had."""
        if self._negatives_given:
            return self._fields.negatives
        key = tuple(record)
        names = self._negatives.get(key)
        if names is None:
            names = tuple(n for n in key if squeezed(n).rstrip("0123456789") in NEGATIVES)
            self._negatives[key] = names
        return names


def _texts(value: object) -> Iterator[object]:
    """The texts of a field: one, or those of a list; empty ones are left out of a list."""
    if isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):  # a passage with its own id, as some tools write them
        text, title = value.get("text", value.get("content")), value.get("title")
        if isinstance(text, str) and isinstance(title, str) and title.strip():
            text = f"{title}\n{text}"
        yield from _texts(text)
    elif isinstance(value, str) and value.strip().startswith("[") and value.strip().endswith("]"):
        yield from _listed(value)
    elif not _is_empty(value):
        yield value


def _listed(value: str) -> Iterator[object]:
    """The texts of a list that a cell holds as JSON; the cell itself where it is none."""
    try:
        items = json.loads(value)
    except (ValueError, RecursionError):
        items = value
    if isinstance(items, list) and all(isinstance(each, str) for each in items):
        yield from (each for each in items if each.strip())
    else:
        yield value
