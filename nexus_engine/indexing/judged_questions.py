"""Questions of a corpus with what answers them, by the texts of the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from nexus_engine.data.files.folders import SPLITS
from nexus_engine.data.questions.beir import gather_beir
from nexus_engine.data.questions.gathering import Gathered, text_key
from nexus_engine.data.questions.question_data import QuestionData

__all__ = ["JudgedQuestion", "SourceQuestions", "beir_questions", "questions_of"]


class JudgedQuestion(NamedTuple):
    """A question, its split, and its answers: the key of each one's text, and how good it is."""

    text: str
    split: str
    answers: list[tuple[bytes, float]]


class SourceQuestions(NamedTuple):
    """The questions of a corpus. `read` may raise DataError for what cannot be used."""

    name: str
    """What tells them from other questions of the same folder."""
    digest: str
    """Changes with their texts, their answers, and how they are read."""
    read: Callable[[], list[JudgedQuestion]]


def questions_of(data: QuestionData) -> list[JudgedQuestion]:
    """The questions of `data`: those of test, then of dev, then of train."""
    keys = [text_key(text) for text in data.passages.to_pylist()]
    found = []
    for name, split in (("test", data.test), ("dev", data.dev), ("train", data.train)):
        rows, gains = split.answers.rows, split.answers.gains
        for place, text in enumerate(split.questions.to_pylist()):
            start, stop = rows.offsets[place : place + 2].tolist()
            answers = zip(
                (keys[row] for row in rows.list_at(place).tolist()),
                gains[start:stop].tolist(),
                strict=True,
            )
            found.append(JudgedQuestion(text, name, list(answers)))
    return found


def beir_questions(files: Mapping[str, Path], *, skip_bad: bool = False) -> list[JudgedQuestion]:
    """The judged questions of a folder in BEIR's layout; only judged passages are kept in memory.

    Raises:
        DataError: with file and row, for what cannot be used.
    """
    gathered = Gathered()
    gather_beir(gathered, files, skip_bad=skip_bad, judged_alone=True)
    keys = [text_key(text) for text in gathered.passages.texts().to_pylist()]
    texts = gathered.texts.texts().to_pylist()
    found = []
    for name in reversed(SPLITS):
        for place, split in enumerate(gathered.split):
            answers = gathered.answers[place]
            if split == name and answers:
                known = [(keys[row], gain) for row, gain in answers.items()]
                found.append(JudgedQuestion(texts[gathered.text_of[place]], name, known))
    return found
