"""Pairs that passages hold by themselves, where nobody wrote questions.

Two kinds stand for a question with its answer: a heading, or a document's name, with the passages
below it; and a passage's first sentence with the rest of it. Random sentences and random crops
measured worse than no training, so they are not among them.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nexus_engine.data.questions.answers import Answers, Ragged
from nexus_engine.data.questions.gathering import TextTable
from nexus_engine.data.questions.question_data import QuestionSplit
from nexus_engine.same_text import folded

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MAX_ANSWERS", "TitledBody", "WeakPairs", "asking_title"]

SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[^\W_])")
LIST_MARK = re.compile(r"^(?:[-*+>]\s+|\d+[.)]\s+)+")
NOT_PROSE = re.compile(r"^\s*(?:\||```|~~~|<|\$|\{)", re.MULTILINE)
WORD = re.compile(r"[^\W\d_]{2,}")
MIN_SENTENCE_WORDS = 4
MAX_SENTENCE_WORDS = 40
"""Of a first sentence that can stand for a question."""
MIN_REST_WORDS = 8
"""Of what is left of a passage without its first sentence."""
MAX_ANSWERS = 8
"""A heading with more passages than this ("Overview") asks for none of them."""
MAX_PAIRS = 50_000
"""A first stage needs no more: they are then taken evenly from all."""


class TitledBody(NamedTuple):
    """A passage without its title, and the title; `name` is that of its document, or ""."""

    title: str
    body: str
    name: str = ""


class WeakPairs(NamedTuple):
    """Questions made of passages; their answers are rows of `texts`, not of the corpus."""

    split: QuestionSplit
    texts: pa.Array

    @classmethod
    def of(
        cls,
        passages: Iterable[TitledBody],
        held_out: Iterable[str] = (),
        keep_percent: int = 0,
    ) -> WeakPairs:
        """The pairs of `passages`, without questions that are equal to a held-out one.

        So many percent of the first sentences also stay in their answers: a model then learns that
        an answer may repeat the question's words (arXiv 1906.00300).
        """
        barred = {folded(question) for question in held_out}
        questions, texts = TextTable(), TextTable()
        answers: list[dict[int, None]] = []

        def add(question: str, answer: str) -> None:
            if folded(question) in barred:
                return
            row = questions.add(question)
            if row == len(answers):
                answers.append({})
            answers[row][texts.add(answer)] = None

        for passage in passages:
            title = asking_title(passage)
            if title:
                add(title, passage.body)
            pair = first_sentence(passage.body)
            if pair is not None:
                sentence, rest = pair
                stays = zlib.crc32(sentence.encode()) % 100 < keep_percent
                add(sentence, passage.body if stays else rest)
        usable = [row for row, known in enumerate(answers) if len(known) <= MAX_ANSWERS]
        chosen = np.asarray(usable, np.int64)
        if len(chosen) > MAX_PAIRS:
            chosen = chosen[np.linspace(0, len(chosen) - 1, MAX_PAIRS).astype(np.int64)]
        lists = [list(answers[row]) for row in chosen.tolist()]
        kept = np.unique(np.asarray([row for each in lists for row in each], np.int64))
        place = {row: at for at, row in enumerate(kept.tolist())}
        split = QuestionSplit(
            questions.texts().take(chosen),
            Answers.of([[place[row] for row in each] for each in lists]),
            Ragged.of([[] for _ in lists]),
        )
        return cls(split, texts.texts().take(kept))


def asking_title(passage: TitledBody) -> str:
    """The heading above a passage, or the words of its document's name; "" where neither asks."""
    title = passage.title or _name_words(passage.name)
    return title if WORD.search(title) and folded(title) != folded(passage.body) else ""


def first_sentence(body: str) -> tuple[str, str] | None:
    """A passage's first sentence and the rest; None where it has no sentence that could ask."""
    parts = SENTENCE_END.split(body, maxsplit=1)
    if len(parts) < 2:
        return None
    sentence, rest = LIST_MARK.sub("", " ".join(parts[0].split())), parts[1].strip()
    words = len(sentence.split())
    if not MIN_SENTENCE_WORDS <= words <= MAX_SENTENCE_WORDS or NOT_PROSE.search(parts[0]):
        return None
    return (sentence, rest) if len(rest.split()) >= MIN_REST_WORDS else None


def _name_words(name: str) -> str:
    """The words of a file's name; "" where it has fewer than two, as `chapter7` does."""
    words = re.split(r"[\s_\-.]+", PurePosixPath(name).stem)
    return " ".join(words) if sum(bool(WORD.fullmatch(word)) for word in words) >= 2 else ""
