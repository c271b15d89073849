"""The splits of a label file: what was held out stays so as labels grow, and nothing is cut anew.

About one verdict in ten is for dev and one for test. While either has fewer than 20, the two judge
together, as dev and as test: what is reported then is the score by which the run chose. While both
together have fewer than 20, they cannot choose between two models: the pairs that were taught are
dev then, and the held-out ones are test. `questions.label_sides` does the same for questions.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from nexus_engine.data.files.folders import SPLITS
from nexus_engine.data.messages import file_error
from nexus_engine.data.pairs import MIN_PAIRS
from nexus_engine.data.reading.raw_pairs import RawPairs

__all__ = ["MIN_HELD_OUT", "by_part", "judge_together", "together_note"]

MIN_HELD_OUT = 20
"""Pairs, or questions, that dev and test each need to stand alone."""

Noun = Literal["pair", "question"]


def judge_together(dev: int, test: int) -> bool:
    """Whether dev and test, of so many pairs or questions, are one."""
    return min(dev, test) < MIN_HELD_OUT


def together_note(noun: Noun, held_out: int) -> str:
    """The note on labels that are too few for a test of its own."""
    return (
        f"{held_out:,} held-out {noun}s are dev and test in one, until each has "
        f"{MIN_HELD_OUT}: the test score is the one by which the run chooses"
    )


def by_part(raw: RawPairs) -> tuple[dict[str, list[RawPairs]], list[str]]:
    """The pairs of a label file by split, and notes on that; equal splits are one list.

    Raises DataError where there is too little to train on.
    """
    assert raw.splits is not None
    parts = np.array(raw.splits.to_pylist(), object)
    train, dev, test = (np.flatnonzero(parts == part) for part in ("train", "dev", "test"))
    if not _is_measurable(raw, train):
        reason = f"{len(train):,} pair{'s' * (len(train) != 1)} to train on, without two grades"
        raise file_error(raw.label, f"{reason}; judge more pairs")
    held_out = np.sort(np.concatenate([dev, test]))
    if not judge_together(len(dev), len(test)):
        notes = [
            f"parts as they were judged: {len(train):,} train, {len(dev):,} dev, {len(test):,} test"
        ]
    elif len(held_out) >= MIN_HELD_OUT and _is_measurable(raw, held_out):
        dev = test = held_out
        notes = [together_note("pair", len(held_out))]
    else:
        notes = _few_notes(len(train), len(held_out))
        dev, test = train, held_out
        if not _is_measurable(raw, test):
            test = dev
            notes.append("test ranks the same, since nothing else is there to judge by")
    parts_of = {id(rows): [raw.take(rows)] for rows in (train, dev, test)}
    return {
        name: parts_of[id(rows)] for name, rows in zip(SPLITS, (train, dev, test), strict=True)
    }, notes


def _few_notes(taught: int, held_out: int) -> list[str]:
    """In plain words, how a run on so few labels is judged."""
    few = f"{held_out:,} held-out pair{'s' * (held_out != 1)} so far, too few to choose a model by"
    lesson = f"dev ranks the {taught:,} pairs that were taught"
    return [f"{few}: {lesson}, which shows that the lesson was learned, and no more"]


def _is_measurable(raw: RawPairs, rows: np.typing.NDArray[np.intp]) -> bool:
    """Whether Spearman is defined on the pairs at `rows`."""
    assert raw.scores is not None
    return len(rows) >= MIN_PAIRS and len(np.unique(raw.scores[rows])) > 1
