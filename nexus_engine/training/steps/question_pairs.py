"""Questions with their answers as training examples: each should find its own among the batch's.

An example is a question with one of its answers, and perhaps with negatives. The passages of the
other examples of a batch serve as further negatives, but for those that are known to answer the
question too, or are the same passage.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nexus_engine.data.questions.answers import Ragged
from nexus_engine.model.tokens import Rows, TokenStore
from nexus_engine.training.steps.nested_loss import nested_loss
from nexus_engine.training.steps.ranking_loss import ranking_loss

__all__ = ["QuestionPairs"]


class QuestionPairs:
    """Examples `questions[i]`, `answers[i]`, store rows (n,) each.

    `known` lists, for each store row that is a question, the rows of all its known answers: equal
    questions are one row, so that an answer of one is an answer of all. `negatives` (n, k) are
    store rows of passages that do not answer, -1 where there are fewer. `dims` are the nested sizes
    that the loss looks at beside the full width (see `nested_loss`).
    """

    def __init__(
        self,
        questions: Rows,
        answers: Rows,
        known: Ragged,
        store: TokenStore,
        negatives: Rows | None = None,
        dims: tuple[int, ...] = (),
    ) -> None:
        self._questions = questions
        self._answers = answers
        self._rows = len(store)
        self._lengths_of = store.lengths
        # One sorted key for each known (question, answer): a batch looks its pairs up in it.
        self._known = np.unique(known.owners() * self._rows + known.values)
        self._negatives = negatives
        self._dims = dims
        self.lengths: npt.NDArray[np.int64] = store.lengths[questions] + store.lengths[answers]

    def set_negatives(self, negatives: Rows | None) -> None:
        """Use other negatives, (n, k), from the next step on."""
        self._negatives = negatives

    def _passages(self, batch: Rows) -> Rows:
        """The passages of a batch: its answers (b,), then its distinct negatives."""
        own = self._answers[batch]
        if self._negatives is None:
            return own
        hard = np.unique(self._negatives[batch])
        return np.concatenate([own, hard[(hard >= 0) & ~np.isin(hard, own)]])

    def rows(self, batch: Rows) -> Rows:
        """Questions, answers, negatives: (2 b + h,)."""
        return np.concatenate([self._questions[batch], self._passages(batch)])

    def targets(self, batch: Rows) -> tuple[npt.NDArray[np.generic], ...]:
        """Which passages are known answers of which question, (b, b + h) bool."""
        keys = self._questions[batch][:, None] * self._rows + self._passages(batch)[None, :]
        place = np.searchsorted(self._known, keys).clip(max=len(self._known) - 1)
        return (self._known[place] == keys,)

    def loss(self, vectors: Tensor, targets: tuple[Tensor, ...]) -> Tensor:
        """The in-batch ranking loss."""
        (known,) = targets
        b = len(known)
        masked = known.to(torch.bool)
        return nested_loss(
            lambda part: ranking_loss(part[:b].float(), part[b:].float(), masked),
            vectors,
            self._dims,
        )
