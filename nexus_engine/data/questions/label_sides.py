"""Which questions of a label file train, and which judge: what was held out stays so.

About one question in ten is for dev and one for test. While either has fewer than 20, the two judge
together. While both have fewer than 20, no held-out part can choose between two models, so:

- dev has the questions that were taught, and questions that the documents ask by themselves
  (headings, first sentences). The best model learns what was taught and still finds the rest.
- test has the held-out questions and other such headings: what was not taught.

The notes say so in plain words, since neither tells how a new question fares.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nexus_engine.data.label_splits import MIN_HELD_OUT, judge_together, together_note
from nexus_engine.data.messages import file_error
from nexus_engine.data.questions.gathering import Gathered
from nexus_engine.data.questions.label_corpus import Asking

__all__ = ["label_sides"]

Sides = dict[str, list[int]]
"""The numbers of the questions of train, dev and test."""

STAND_INS = 40
"""Headings that judge on dev, and as many on test."""
MIN_QUESTIONS = 2
"""In a split that is judged."""


def label_sides(
    gathered: Gathered, split: NDArray[np.int8], asking: Sequence[Asking], label: str
) -> tuple[Sides, list[str], bool]:
    """The questions of each side, notes on that, and whether what judges is no held-out part.

    `split` (q,) is 0, 1, 2 for train, dev, test, and below 0 for a question without an answer.
    Headings that judge are added to `gathered`. Raises DataError where nothing can be trained on.
    """
    train, dev, test = (np.flatnonzero(split == place).tolist() for place in range(3))
    if not train:
        reason = "holds no question to train on whose answer was marked"
        raise file_error(label, f"{reason}; judge more")
    held_out = sorted([*dev, *test])
    if not judge_together(len(dev), len(test)):
        note = f"parts as they were judged: {len(train):,} train, {len(dev):,} dev, "
        note += f"{len(test):,} test questions"
        return {"train": train, "dev": dev, "test": test}, [note], False
    if len(held_out) >= MIN_HELD_OUT:
        note = together_note("question", len(held_out))
        return {"train": train, "dev": held_out, "test": held_out}, [note], False
    on_dev, on_test = _stand_ins(gathered, asking)
    sides = {"train": train, "dev": [*train, *on_dev], "test": [*held_out, *on_test]}
    if len(sides["test"]) < MIN_QUESTIONS:
        sides["test"] = sides["dev"]
    notes = _few_notes(len(train), len(held_out), len(on_dev), len(on_test))
    return sides, notes, True


def _stand_ins(gathered: Gathered, asking: Sequence[Asking]) -> tuple[list[int], list[int]]:
    """Headings for dev and for test as questions of their own; none that was judged as one.

    A checksum decides which judge, and where, so that none moves as labels or documents are added.
    """
    judged = len(gathered)
    sides: tuple[list[int], list[int]] = ([], [])
    for each in sorted(asking, key=lambda each: each.checksum):
        side = sides[each.checksum % 2]
        if len(side) == STAND_INS:
            continue
        number = gathered.question("", 0, each.text)
        if number < judged:
            continue
        for row in each.rows:
            gathered.answer(number, row)
        side.append(number)
    return sides


def _few_notes(taught: int, held_out: int, on_dev: int, on_test: int) -> list[str]:
    """In plain words, how a run on so few labels is judged."""
    few = f"{_counted(held_out, 'held-out question')} so far, too few to choose a model by"
    lesson = f"dev ranks the {_counted(taught, 'taught question')}"
    if on_dev:
        lesson += f" and {on_dev} headings of the documents"
    notes = [f"{few}: {lesson}, which shows that the lesson was learned, and no more"]
    if held_out + on_test >= MIN_QUESTIONS:
        parts = [*([f"{held_out} held out"] if held_out else [])]
        parts += [f"{on_test} other headings"] if on_test else []
        notes.append(f"test ranks questions that were not taught: {' and '.join(parts)}")
    else:
        notes.append("test ranks the same, since nothing else is there to judge by")
    return notes


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
