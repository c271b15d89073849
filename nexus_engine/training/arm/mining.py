"""Hard negatives of an arm: mined from its model's embeddings after an evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nexus_engine.config import Settings
from nexus_engine.data.questions.answers import Ragged
from nexus_engine.model.tokens import Rows
from nexus_engine.scoring.corpus import Corpus, QuestionCorpus
from nexus_engine.scoring.evaluation import Embed, embed_all
from nexus_engine.training.steps.negatives import mine_negatives

__all__ = ["HardNegatives"]

NEAREST = 30
"""Passages nearest to a question from which its negatives are drawn."""


class HardNegatives:
    """The hard negatives of each training example: `rows` (n, count), store rows, -1 for none."""

    def __init__(self, corpus: QuestionCorpus, settings: Settings) -> None:
        train = corpus.train
        self._corpus, self._settings = corpus, settings
        self._owners = train.answers.rows.owners()
        self.rows: Rows = np.full((len(self._owners), settings.hard_negatives), -1, np.int64)
        self._known = _known(corpus).take(self._owners)

    @classmethod
    def of(cls, corpus: Corpus | QuestionCorpus, settings: Settings) -> Self | None:
        """The negatives of a run that uses some; None for any other."""
        if isinstance(corpus, Corpus) or not settings.hard_negatives:
            return None
        return cls(corpus, settings)

    def renew(self, embed: Embed, passages: Tensor, epoch: int, check: Callable[[], None]) -> None:
        """Mine anew by the model behind `embed`; `passages` (r, width) are its embeddings."""
        corpus, settings = self._corpus, self._settings
        train = corpus.train
        questions = embed_all(embed, corpus.store, train.questions, check)
        own = train.answers.rows.values
        mined = mine_negatives(
            questions[torch.from_numpy(self._owners)],
            passages,
            np.searchsorted(corpus.ranked, own),
            self._known,
            count=settings.hard_negatives,
            nearest=NEAREST,
            margin=settings.negative_margin,
            seed=settings.seed * 100_003 + epoch,
            check=check,
        )
        self.rows[...] = np.where(mined >= 0, corpus.passages[corpus.ranked[mined]], -1)

    def any_lengths(self) -> npt.NDArray[np.int64]:
        """Use random passages instead, to time steps; returns their tokens by example, (n,)."""
        random = np.random.default_rng(0)
        passages, store = self._corpus.passages, self._corpus.store
        self.rows[...] = passages[random.integers(0, len(passages), self.rows.shape)]
        lengths = store.lengths_of(self.rows.reshape(-1))
        total: npt.NDArray[np.int64] = lengths.reshape(self.rows.shape).sum(1)
        return total

    def tensor(self) -> Tensor:
        """The negatives as a checkpoint stores them."""
        return torch.from_numpy(self.rows.copy())

    def load(self, stored: Tensor) -> None:
        """Use the negatives of a checkpoint.

        Raises:
            ValueError: they are not of this run.
        """
        rows = stored.numpy()
        if rows.shape != self.rows.shape or rows.dtype != np.int64:
            raise ValueError("the hard negatives do not fit")
        if len(rows) and not -1 <= rows.min() <= rows.max() < len(self._corpus.store):
            raise ValueError("a hard negative is out of range")
        self.rows[...] = rows


def _known(corpus: QuestionCorpus) -> Ragged:
    """For each train question, the places of all passages that answer a question of its text."""
    train = corpus.train
    questions = train.questions[train.answers.rows.owners()]
    order = np.argsort(questions, kind="stable")
    _, group, counts = np.unique(train.questions, return_inverse=True, return_counts=True)
    del counts
    texts = int(group.max()) + 1 if len(group) else 0
    sizes = np.bincount(group[train.answers.rows.owners()], minlength=texts)
    by_text = Ragged(
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.searchsorted(corpus.ranked, train.answers.rows.values[order]),
    )
    return by_text.take(group)
