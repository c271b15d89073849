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
SEEDS_PER_RUN = 100_003
"""Above the number of epochs of a run, so that no two runs share the seed of an epoch."""


class HardNegatives:
    """The hard negatives of each training example: `rows` (n, count), store rows, -1 for none.

    Those that the data names come first. The others are mined from the passages that questions are
    ranked among and the answers of the train questions.
    """

    def __init__(self, corpus: QuestionCorpus, settings: Settings) -> None:
        train = corpus.train
        answers, given = train.answers.rows, train.negatives
        self._corpus, self._settings = corpus, settings
        self._pool = np.union1d(corpus.ranked, np.concatenate([answers.values, given.values]))
        """Places of the candidates in the corpus, (c,), ascending."""
        self._unranked = ~np.isin(self._pool, corpus.ranked)
        owners = answers.owners()
        self._question_of = owners
        self._own = np.searchsorted(self._pool, answers.values)
        self._known = _by_text(train.questions, self._in_pool(answers)).take(owners)
        self._given = self._in_pool(given).take(owners)
        weak = len(corpus.weak[0])
        self.all_rows: Rows = np.full((weak + len(owners), settings.hard_negatives), -1, np.int64)
        """The same for weak pairs, which have none, and then for the examples."""
        self.rows: Rows = self.all_rows[weak:]

    def _in_pool(self, lists: Ragged) -> Ragged:
        return Ragged(lists.offsets, np.searchsorted(self._pool, lists.values))

    @property
    def _others(self) -> Rows:
        """Store rows of the candidates that no evaluation embeds."""
        rows: Rows = self._corpus.passages[self._pool[self._unranked]]
        return rows

    @property
    def embedded(self) -> Rows:
        """Store rows that `renew` embeds."""
        return np.concatenate([self._corpus.train.questions, self._others])

    @classmethod
    def of(cls, corpus: Corpus | QuestionCorpus, settings: Settings) -> Self | None:
        """The negatives of a run that uses some; None for any other."""
        if isinstance(corpus, Corpus) or not settings.hard_negatives:
            return None
        return cls(corpus, settings)

    def renew(self, embed: Embed, passages: Tensor, epoch: int, check: Callable[[], None]) -> None:
        """Mine those of `epoch` by the model behind `embed`.

        `passages` (r, width) are its embeddings of the ranked passages. `check` may raise to stop;
        the negatives are then still the former ones.
        """
        corpus, settings = self._corpus, self._settings
        questions = embed_all(embed, corpus.store, corpus.train.questions, check)
        mined = mine_negatives(
            questions[torch.from_numpy(self._question_of)],
            self._candidates(embed, passages, check),
            self._own,
            self._known,
            count=settings.hard_negatives,
            nearest=NEAREST,
            margin=settings.negative_margin,
            given=self._given,
            seed=settings.seed * SEEDS_PER_RUN + epoch,
            check=check,
        )
        self.rows[...] = np.where(mined >= 0, corpus.passages[self._pool[mined]], -1)

    def _candidates(self, embed: Embed, passages: Tensor, check: Callable[[], None]) -> Tensor:
        """The embeddings of the pool, (c, width)."""
        if not self._unranked.any():
            return passages
        vectors = torch.empty(len(self._pool), passages.shape[1])
        vectors[torch.from_numpy(~self._unranked)] = passages
        others = embed_all(embed, self._corpus.store, self._others, check)
        vectors[torch.from_numpy(self._unranked)] = others
        return vectors

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


def _by_text(questions: Rows, lists: Ragged) -> Ragged:
    """For each of the `questions`, (q,), the values of all lists whose question has its text."""
    texts, group = np.unique(questions, return_inverse=True)
    owners = group[lists.owners()]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=len(texts)))])
    values = lists.values[np.argsort(owners, kind="stable")]
    return Ragged(offsets.astype(np.int64), values).take(group)
