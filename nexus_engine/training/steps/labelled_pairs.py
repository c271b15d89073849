"""Pairs with a mark, 1 for those that belong together and 0 for those that do not, as examples.

Questions whose answers are known learn more as `QuestionPairs`, with the passages marked 0 as their
negatives. This is for pairs that cannot serve as each other's negatives, such as sentences of which
many mean the same. Measured on 11,035 medical questions, each with one pair of each mark, by a
linear adapter on the frozen encoder: dev nDCG@10 (base 0.714), best of two or three rates, mean of
two seeds, where the pairs marked 0 hold a passage near the question, or any passage:

    loss                                near     any
    in-batch ranking                    0.802    0.790
    cross entropy, threshold 0.7        0.805    0.778
    cross entropy, `middle_cosine`      0.804    0.775
    contrastive, margin 0.5             0.801    0.776
    CoSENT                              0.802    0.763
    online contrastive, margin 0.5      0.804    0.750
    squared error                       0.780    0.776
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from nexus_engine.model.sentence_model import cosine
from nexus_engine.model.tokens import Rows, TokenStore
from nexus_engine.scoring.corpus import PairRows
from nexus_engine.training.steps.losses import mark_cross_entropy
from nexus_engine.training.steps.nested_loss import nested_loss
from nexus_engine.training.steps.objective import Targets

__all__ = ["THRESHOLD", "LabelledPairs", "middle_cosine"]

THRESHOLD = 0.6
"""The cosine between the two marks, where the base model's cosines are not known."""


class LabelledPairs:
    """Pairs marked 1 should lie above a cosine of `threshold`, pairs marked 0 under it.

    `pairs.scores` are the marks. `threshold` should lie between the base model's cosines of both
    (see `middle_cosine`). `dims` are the nested sizes that the loss looks at beside the full width
    (see `nested_loss`).
    """

    def __init__(
        self,
        pairs: PairRows,
        store: TokenStore,
        threshold: float = THRESHOLD,
        dims: tuple[int, ...] = (),
    ) -> None:
        self._pairs = pairs
        self._threshold = threshold
        self._dims = dims
        self.lengths: npt.NDArray[np.int64] = (
            store.lengths[pairs.first] + store.lengths[pairs.second]
        )

    def rows(self, batch: Rows) -> Rows:
        """First sentences, then second ones, (2 b,)."""
        return np.concatenate([self._pairs.first[batch], self._pairs.second[batch]])

    def targets(self, batch: Rows) -> Targets:
        """The marks, (b,) float32."""
        return (self._pairs.scores[batch],)

    def loss(self, vectors: Tensor, targets: tuple[Tensor, ...]) -> Tensor:
        """The cross entropy of the pairs' cosines with their marks."""
        (marks,) = targets
        b = len(marks)

        def loss(part: Tensor) -> Tensor:
            cosines = cosine(part[:b].float(), part[b:].float())
            return mark_cross_entropy(cosines, marks, self._threshold)

        return nested_loss(loss, vectors, self._dims)


def middle_cosine(cosines: npt.NDArray[np.floating], marks: npt.NDArray[np.floating]) -> float:
    """The threshold for pairs with these cosines (n,) by the base model and these marks (n,), 0/1.

    It lies in the middle between the mean of either mark; `THRESHOLD` where one mark is missing, or
    a cosine is not finite.
    """
    belongs = marks > 0.5
    if belongs.all() or not belongs.any() or not np.isfinite(cosines).all():
        return THRESHOLD
    return float((cosines[belongs].mean() + cosines[~belongs].mean()) / 2)
