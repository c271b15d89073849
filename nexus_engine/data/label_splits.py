"""The splits of a label file: what was held out stays so as labels grow, and nothing is cut anew.

About one verdict in ten is for dev and one for test. While either has fewer than 20, the two judge
together, as dev and as test: what is reported then is the score by which the run chose.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from nexus_engine.data.messages import file_error
from nexus_engine.data.pairs import MIN_PAIRS
from nexus_engine.data.reading.raw_pairs import RawPairs
from nexus_engine.errors import DataError

__all__ = ["MIN_HELD_OUT", "by_part", "judge_together", "together_note", "too_few_held_out"]

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


def too_few_held_out(label: str, noun: Noun, held_out: int) -> DataError:
    """The refusal of labels that hold out too few to judge by."""
    reason = (
        f"{held_out:,} held-out {noun}{'s' * (held_out != 1)} so far, too few to judge a run by"
    )
    return file_error(label, f"{reason}; judge more: about one new {noun} in five is held out")


def by_part(raw: RawPairs) -> tuple[dict[str, list[RawPairs]], list[str]]:
    """The pairs of a label file by split, and a note on that.

    Raises DataError where there is too little to train on, or to judge by.
    """
    assert raw.splits is not None
    parts = np.array(raw.splits.to_pylist(), object)
    train, dev, test = (np.flatnonzero(parts == part) for part in ("train", "dev", "test"))
    if not _is_measurable(raw, train):
        reason = f"{len(train):,} pairs to train on, which do not differ in grade"
        raise file_error(raw.label, f"{reason}; judge more pairs")
    if judge_together(len(dev), len(test)):
        dev = test = np.sort(np.concatenate([dev, test]))
        note = together_note("pair", len(dev))
    else:
        note = (
            f"parts as they were judged: {len(train):,} train, {len(dev):,} dev, {len(test):,} test"
        )
    for held_out in (dev, test):
        if not _is_measurable(raw, held_out):
            raise too_few_held_out(raw.label, "pair", len(held_out))
    held = {"train": [raw.take(train)], "dev": [raw.take(dev)]}
    held["test"] = held["dev"] if test is dev else [raw.take(test)]
    return held, [note]


def _is_measurable(raw: RawPairs, rows: np.typing.NDArray[np.intp]) -> bool:
    """Whether Spearman is defined on the pairs at `rows`."""
    assert raw.scores is not None
    return len(rows) >= MIN_PAIRS and len(np.unique(raw.scores[rows])) > 1
