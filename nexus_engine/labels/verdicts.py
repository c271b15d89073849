"""What a person decided about a pair of sentences, or about a passage for a question.

A verdict holds the texts themselves, so its `repr` shows none: it ends up in logs and tracebacks.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from nexus_engine.same_text import folded

__all__ = [
    "GRADES",
    "Act",
    "PairAnswer",
    "PairVerdict",
    "Part",
    "SearchAnswer",
    "SearchVerdict",
    "Undo",
    "Verdict",
    "is_answered",
    "key_of",
    "pair_key",
    "question_key",
    "search_key",
    "text_key",
]

GRADES = range(6)
"""0 means nothing in common, 5 the same meaning."""

Part = Literal["train", "dev", "test", "unused"]
"""What a verdict is used for; "unused" where its two sentences lie in different parts."""
PairAnswer = Literal["grade", "same", "unsure", "skip"]
SearchAnswer = Literal["mark", "unsure", "skip"]


class PairVerdict(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="pair", omit_defaults=True
):
    """A verdict on the sentences `a` and `b`.

    `grade`, 0 to 5, belongs to the answer "grade", and `same` to the answer "same". `time` is UTC,
    as 2026-11-29T05:00:00Z. `asked` is the key of the pair as it was shown, where the rater edited
    it before judging. A verdict that is `settled` ends a disagreement: it counts alone.
    """

    id: str
    time: str
    rater: str
    a: str
    b: str
    answer: PairAnswer
    grade: int | None = None
    same: bool | None = None
    part: Part
    asked: str | None = None
    settled: bool = False

    def __repr__(self) -> str:
        return f"PairVerdict(id={self.id!r}, answer={self.answer!r})"


class SearchVerdict(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="search", omit_defaults=True
):
    """A verdict on whether `passage` answers `question`; `relevant` belongs to the answer "mark".

    `document` names where the passage stands, if that is known. `asked` and `settled` are as in
    `PairVerdict`.
    """

    id: str
    time: str
    rater: str
    question: str
    passage: str
    document: str | None = None
    answer: SearchAnswer
    relevant: bool | None = None
    part: Part
    asked: str | None = None
    settled: bool = False

    def __repr__(self) -> str:
        return f"SearchVerdict(id={self.id!r}, answer={self.answer!r})"


class Undo(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="undo"):
    """Takes back the verdict whose id is `undoes`."""

    id: str
    time: str
    rater: str
    undoes: str


Verdict = PairVerdict | SearchVerdict
Act = PairVerdict | SearchVerdict | Undo
"""A line of a label file after its header."""


def text_key(text: str) -> str:
    """SHA-256 (hex) of one text as it is compared: case and white space do not count."""
    return hashlib.sha256(folded(text).encode("utf-8", "replace")).hexdigest()


def pair_key(a: str, b: str) -> str:
    """SHA-256 (hex) of a pair, the same whichever sentence comes first."""
    first, second = sorted((text_key(a), text_key(b)))
    return _digest(f"pair {first} {second}")


def question_key(question: str) -> str:
    """SHA-256 (hex) of a question."""
    return _digest(f"question {text_key(question)}")


def search_key(question: str, passage: str) -> str:
    """SHA-256 (hex) of a question with a passage."""
    return _digest(f"search {text_key(question)} {text_key(passage)}")


def key_of(verdict: Verdict) -> str:
    """The key of what the verdict is about."""
    if isinstance(verdict, PairVerdict):
        return pair_key(verdict.a, verdict.b)
    return search_key(verdict.question, verdict.passage)


def is_answered(verdict: Verdict) -> bool:
    """Whether the verdict says something: it is neither "unsure" nor "skip"."""
    return verdict.answer not in ("unsure", "skip")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
