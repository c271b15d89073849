"""Questions, passages and what belongs together, gathered a record at a time.

Equal texts are one: they are numbered by their hash, case folded and with each run of white space
as one space, and kept as they were first written.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nexus_engine.data.messages import row_error
from nexus_engine.data.questions.answers import Answers, Ragged
from nexus_engine.data.questions.question_data import QuestionSplit
from nexus_engine.same_text import folded

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Gathered", "Origin", "TextTable", "checked_text", "text_key"]

TEXT_BYTES = 1_000_000
"""The longest text, in UTF-8 bytes."""
CHUNK = 8192


class Origin(NamedTuple):
    """Where a passage comes from: a document, its character, and the headings above it."""

    source: str
    start: int
    headings: str


class TextTable:
    """Distinct texts, numbered in the order in which they came."""

    def __init__(self) -> None:
        self._rows: dict[bytes, int] = {}
        self._waiting: list[str] = []
        self._chunks: list[pa.Array] = []
        self._written = array("q")
        self.respelled = 0
        """Texts that differ from an earlier one in case or white space alone."""

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, text: str) -> int:
        """The row of `text`, a new one where it was not there yet."""
        row = self._rows.setdefault(text_key(text), len(self._rows))
        if row < len(self._written):
            self.respelled += hash(text) != self._written[row]
            return row
        self._written.append(hash(text))
        self._waiting.append(text)
        if len(self._waiting) == CHUNK:
            self._flush()
        return row

    def texts(self) -> pa.Array:
        """(n,) strings, in order."""
        import pyarrow as pa

        self._flush()
        if not self._chunks:
            return pa.array([], pa.large_string())
        self._chunks = [pa.concat_arrays(self._chunks)]
        return self._chunks[0]

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            encoded = [text.encode("utf-8", "replace").decode() for text in self._waiting]
            self._chunks.append(pa.array(encoded, pa.large_string()))
            self._waiting = []


class Gathered:
    """What the records of one or more files say, before they are split.

    `split` names the split of each question where the data does, else it is "".
    """

    def __init__(self) -> None:
        self.texts = TextTable()
        """Of the questions."""
        self.passages = TextTable()
        self.origins: dict[int, Origin] = {}
        """Of the passages that were cut from documents."""
        self.text_of: list[int] = []
        """The row in `texts` of each question: questions with ids of their own may share one."""
        self._numbers: dict[str | int, int] = {}
        self.answers: list[dict[int, float]] = []
        self.negatives: list[dict[int, None]] = []
        self.split: list[str] = []
        self.groups: dict[str, int] = {}
        self.group_of: list[int] = []
        self.rows = 0
        """Records that were read."""
        self.skipped = 0
        """Records that were left out as `--skip-bad` asks."""
        self.moved = 0
        """Questions that two splits name."""
        self.repeated = 0
        """Answers that were given before for the same question."""
        self.contradicted = 0
        """Passages that are an answer and a negative of one question; they count as answers."""

    def __len__(self) -> int:
        return len(self.text_of)

    def question(
        self,
        label: str,
        row: int,
        text: object,
        *,
        key: str | None = None,
        split: str = "",
        group: str = "",
    ) -> int:
        """The number of a question: of its `key`, or where it has none, of its text.

        Raises DataError for what is no text.
        """
        written = self.texts.add(checked_text(label, row, text, "question"))
        number = self._numbers.setdefault(written if key is None else key, len(self))
        if number == len(self):
            self.text_of.append(written)
            self.answers.append({})
            self.negatives.append({})
            self.split.append(split)
            self.group_of.append(-1)
        elif split != self.split[number]:
            self.moved += 1
        if group:
            self.group_of[number] = self.groups.setdefault(group, len(self.groups))
        return number

    def passage(self, label: str, row: int, text: object, what: str = "passage") -> int:
        """The number of a passage. Raises DataError for what is no text."""
        return self.passages.add(checked_text(label, row, text, what))

    def answer(self, question: int, passage: int, gain: float = 1.0) -> None:
        """Note that a passage answers a question."""
        known = self.answers[question]
        self.repeated += passage in known
        known[passage] = max(gain, known.get(passage, 0.0))

    def negative(self, question: int, passage: int) -> None:
        """Note that a passage does not answer a question."""
        self.negatives[question][passage] = None

    def split_of(self, chosen: Iterable[int]) -> QuestionSplit:
        """The questions `chosen`, as a split."""
        import pyarrow as pa

        rows = np.fromiter(chosen, np.int64)
        texts = np.asarray(self.text_of, np.int64)[rows]
        negatives = []
        for question in rows.tolist():
            known = self.answers[question]
            wrong = [passage for passage in self.negatives[question] if passage in known]
            self.contradicted += len(wrong)
            negatives.append([p for p in self.negatives[question] if p not in known])
        return QuestionSplit(
            self.texts.texts().take(pa.array(texts)),
            Answers.of(
                [list(self.answers[question]) for question in rows.tolist()],
                [list(self.answers[question].values()) for question in rows.tolist()],
            ),
            Ragged.of(negatives),
        )


def text_key(text: str) -> bytes:
    """16 bytes that are equal for texts that count as one."""
    return hashlib.blake2b(folded(text).encode("utf-8", "replace"), digest_size=16).digest()


def checked_text(label: str, row: int, text: object, what: str) -> str:
    """`text` without white space at its ends. Raises DataError for what is no text, or too long."""
    if not isinstance(text, str):
        reason = f"the {what} is {'empty' if text is None or text != text else 'not text'}"
        raise row_error(label, row, f"{reason}; fill or remove the row")
    text = text.strip()
    if not text:
        raise row_error(label, row, f"the {what} is empty; fill or remove the row")
    if "\0" in text:
        raise row_error(label, row, f"the {what} holds a NUL; remove it")
    if len(text) > TEXT_BYTES or len(text.encode("utf-8", "replace")) > TEXT_BYTES:
        raise row_error(label, row, f"the {what} is longer than 1 MB; shorten or remove it")
    return text
