"""What a training step learns from: the sentences of a batch, its targets, and the loss on them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from nexus_engine.model.sentence_model import cosine
from nexus_engine.model.tokens import Rows, TokenStore
from nexus_engine.scoring.corpus import PairRows
from nexus_engine.training.steps.losses import LOSSES
from nexus_engine.training.steps.nested_loss import nested_loss

__all__ = ["GradedPairs", "Objective", "Targets"]

Targets = tuple[npt.NDArray[np.generic], ...]
"""At least one array: a CUDA graph takes its first output buffers from them."""


class Objective(Protocol):
    """Training examples, `n` in all, and how a model's embeddings of them become a loss."""

    lengths: npt.NDArray[np.int64]
    """Tokens of each example, (n,)."""

    def rows(self, batch: Rows) -> Rows:
        """The store rows that a step on the examples `batch`, (b,), embeds, (m,)."""

    def targets(self, batch: Rows) -> Targets:
        """What the loss compares these embeddings with; arrays whose shapes depend on b and m."""

    def loss(self, vectors: Tensor, targets: tuple[Tensor, ...]) -> Tensor:
        """The loss of embeddings (m, width), a scalar."""


class GradedPairs:
    """Pairs whose cosine similarities should follow their scores.

    `dims` are the nested sizes that the loss looks at beside the full width (see `nested_loss`).
    """

    def __init__(
        self, pairs: PairRows, store: TokenStore, loss: str, dims: tuple[int, ...] = ()
    ) -> None:
        self._pairs = pairs
        self._loss = LOSSES[loss]
        self._dims = dims
        self.lengths = store.lengths[pairs.first] + store.lengths[pairs.second]

    def rows(self, batch: Rows) -> Rows:
        """First sentences, then second ones, (2 b,)."""
        return np.concatenate([self._pairs.first[batch], self._pairs.second[batch]])

    def targets(self, batch: Rows) -> Targets:
        """The scores, (b,) float32."""
        return (self._pairs.scores[batch],)

    def loss(self, vectors: Tensor, targets: tuple[Tensor, ...]) -> Tensor:
        """The chosen loss of the pairs' cosines against their scores."""
        (scores,) = targets
        b = len(scores)
        return nested_loss(
            lambda part: self._loss(cosine(part[:b].float(), part[b:].float()), scores),
            vectors,
            self._dims,
        )
