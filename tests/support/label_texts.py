"""Label files for tests: texts of which the part is known."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from nexus_engine.labels.label_file import LabelFile
from nexus_engine.labels.parts import Parts

__all__ = ["pairs_of", "questions_of", "write_labels"]

CITIES = ("Rome", "Oslo", "Cairo", "Lima", "Perth", "Quito")
VERBS = ("opened", "closed", "burned", "flooded", "moved", "grew")


def pairs_of(part: str) -> Iterator[tuple[str, str]]:
    """Pairs of sentences that go to `part`."""
    for number in count():
        city, verb = CITIES[number % 6], VERBS[number // 6 % 6]
        pair = f"The museum of {city} {verb} {number}.", f"In {city} a museum {verb} {number}."
        if Parts().of_pair(*pair) == part:
            yield pair


def questions_of(part: str) -> Iterator[str]:
    """Questions that go to `part`."""
    for number in count():
        question = f"Which museum of {CITIES[number % 6]} has room {number}?"
        if Parts().of_question(question) == part:
            yield question


def write_labels(
    path: Path, pairs: dict[str, int] | None = None, questions: dict[str, int] | None = None
) -> Path:
    """A label file of `ann`: so many graded pairs, and questions with an answer and a negative."""
    with LabelFile.open(path, "ann") as labels:
        for part, number in (pairs or {}).items():
            for place, (a, b) in zip(range(number), pairs_of(part), strict=False):
                labels.judge_pair(a, b, "grade", grade=place % 6)
        for part, number in (questions or {}).items():
            for _, question in zip(range(number), questions_of(part), strict=False):
                room = question.split()[-1][:-1]
                answer = f"Room {room} holds the paintings, says the plan."
                labels.judge_passage(question, answer, "mark", relevant=True)
                wrong = f"The cafe beside room {room} sells tea."
                labels.judge_passage(question, wrong, "mark", relevant=False)
    return path
