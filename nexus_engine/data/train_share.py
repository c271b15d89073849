"""A part of the training data, the same in every run, to see what more data brings."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nexus_engine.data.pairs import MIN_PAIRS, PairData
from nexus_engine.data.questions.question_data import QuestionData
from nexus_engine.same_text import folded

__all__ = ["rows_of_share", "with_train_share"]


def with_train_share(data: PairData | QuestionData, share: float) -> PairData | QuestionData:
    """`data` with this share, above 0 and up to 1, of its train pairs or questions."""
    if share >= 1:
        return data
    rows = rows_of_share(data, share)
    notes = (
        *data.notes,
        f"--train-share {share:g}: {len(rows):,} of {len(data.train):,} are trained on",
    )
    if isinstance(data, PairData):
        pairs = data.train.take(rows)
        if data.dev is not data.train:
            return replace(data, train=pairs, notes=notes)
        judging = pairs if data.test is data.dev else data.test
        return replace(data, train=pairs, dev=pairs, test=judging, notes=notes)
    train, taught = data.train.take(rows), len(data.train)
    if data.labels and data.dev.questions.slice(0, taught).equals(data.train.questions):
        # Few labels: what is taught also judges, and then no more than what is taught.
        dev = data.dev.take(np.concatenate([rows, np.arange(taught, len(data.dev))]))
        test = dev if data.test is data.dev else data.test
        return replace(data, train=train, dev=dev, test=test, notes=notes)
    return replace(data, train=train, notes=notes)


def rows_of_share(data: PairData | QuestionData, share: float) -> NDArray[np.int64]:
    """The rows of train in this share, ascending; those of a smaller share are among them.

    A checksum of the texts orders the rows, so that no seed and no other row decides.
    """
    keys = _pair_texts(data) if isinstance(data, PairData) else data.train.questions.to_pylist()
    sums = [zlib.crc32(folded(key).encode("utf-8", "replace")) for key in keys]
    order = np.argsort(np.asarray(sums, np.int64), kind="stable")
    count = min(len(order), max(MIN_PAIRS, math.ceil(len(order) * share)))
    return np.sort(order[:count])


def _pair_texts(data: PairData) -> Iterable[str]:
    for first, second in data.train.batches():
        yield from (f"{a}\n{b}" for a, b in zip(first, second, strict=True))
