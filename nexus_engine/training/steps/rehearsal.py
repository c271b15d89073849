"""Rehearsal: general sentences that a step embeds beside its examples, and pulls to the base.

What a model knew of general language fades where training never shows it any. A few general
sentences a step, whose embeddings are held near the base model's, keep it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from nexus_engine.model.tokens import Rows
from nexus_engine.training.steps.objective import Objective
from nexus_engine.training.steps.ranking_loss import rehearsal_loss

__all__ = ["SENTENCES_PER_STEP", "Rehearsed"]

SENTENCES_PER_STEP = 16


class Rehearsed:
    """An objective with `weight` times the rehearsal loss added.

    `general` (g,) are store rows of general sentences, `base` (g, width) float32 the base model's
    embeddings of them. Which of them a batch rehearses depends on the batch alone, so a resumed run
    makes the same steps.
    """

    def __init__(
        self, objective: Objective, general: Rows, base: npt.NDArray[np.float32], weight: float
    ) -> None:
        self._objective = objective
        self._general = general
        self._base = base
        self.weight = weight
        self.lengths = objective.lengths

    def _chosen(self, batch: Rows) -> Rows:
        random = np.random.default_rng([len(batch), *batch[:4].tolist()])
        return random.permutation(len(self._general))[:SENTENCES_PER_STEP]

    def rows(self, batch: Rows) -> Rows:
        """The objective's rows, then the general sentences."""
        if not self.weight:
            return self._objective.rows(batch)
        return np.concatenate([self._objective.rows(batch), self._general[self._chosen(batch)]])

    def targets(self, batch: Rows) -> tuple[npt.NDArray[np.generic], ...]:
        """The objective's targets; with a weight, also the base embeddings and the weight."""
        targets = self._objective.targets(batch)
        if not self.weight:
            return targets
        return (*targets, self._base[self._chosen(batch)], np.array([self.weight], np.float32))

    def loss(self, vectors: Tensor, targets: tuple[Tensor, ...]) -> Tensor:
        """The objective's loss, and the weighted distance from the base model."""
        if not self.weight:
            return self._objective.loss(vectors, targets)
        *own, base, weight = targets
        n = len(base)
        loss = self._objective.loss(vectors[:-n], tuple(own))
        return loss + weight[0] * rehearsal_loss(vectors[-n:].float(), base)
