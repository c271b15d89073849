"""Triplets as training examples: an anchor, what is near it, and what is not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nexus_engine.model.tokens import Rows, TokenStore
from nexus_engine.training.steps.nested_loss import nested_loss
from nexus_engine.training.steps.objective import Targets
from nexus_engine.training.steps.ranking_loss import triplet_loss

__all__ = ["Triplets"]


class Triplets:
    """Examples `anchors[i]`, `positives[i]`, `negatives[i]`, store rows (n,) each.

    A triplet whose negative another triplet names as a positive of the same anchor counts nothing.
    `dims` are the nested sizes that the loss looks at beside the full width (see `nested_loss`).
    """

    def __init__(
        self,
        anchors: Rows,
        positives: Rows,
        negatives: Rows,
        store: TokenStore,
        dims: tuple[int, ...] = (),
    ) -> None:
        self._sides = (anchors, positives, negatives)
        self._sound = ~np.isin(anchors * len(store) + negatives, anchors * len(store) + positives)
        self._dims = dims
        of = store.lengths
        self.lengths: npt.NDArray[np.int64] = of[anchors] + of[positives] + of[negatives]

    def rows(self, batch: Rows) -> Rows:
        """Anchors, positives, negatives: (3 b,)."""
        return np.concatenate([side[batch] for side in self._sides])

    def targets(self, batch: Rows) -> Targets:
        """Which triplets count, (b,) bool."""
        return (self._sound[batch],)

    def loss(self, vectors: Tensor, targets: tuple[Tensor, ...]) -> Tensor:
        """The triplet loss, its mean over the triplets that count."""
        (sound,) = targets
        counted = sound.to(torch.bool)

        def loss(part: Tensor) -> Tensor:
            anchors, positives, negatives = part.float().chunk(3)
            return triplet_loss(anchors, positives, negatives, counted)

        return nested_loss(loss, vectors, self._dims)
