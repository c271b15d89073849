"""Losses on a batch of cosine similarities: tensor maths without a model."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["LOSSES", "cosent", "cosine_mse", "mark_cross_entropy", "pearson_distance"]

COSENT_SCALE = 20.0
"""Inverse temperature of CoSENT, as its author and sentence-transformers set it."""

MARK_SCALE = 20.0
"""What cosines are multiplied with before the sigmoid of `mark_cross_entropy`."""

PEARSON_SHARE = 0.3
"""Weight of the Pearson term beside the squared error; measured, see docs/recipes.md."""


def cosine_mse(cosine: Tensor, score: Tensor) -> Tensor:
    """Mean squared error between cosine similarities, (b,), and scores 0..1, (b,): a scalar."""
    return F.mse_loss(cosine, score)


def pearson_distance(cosine: Tensor, score: Tensor) -> Tensor:
    """1 - Pearson's correlation over the batch, 0..2; 1, not NaN, for a batch without spread."""
    c = cosine - cosine.mean()
    s = score - score.mean()
    distance: Tensor = 1 - (c * s).sum() / ((c.norm() * s.norm()).clamp_min(1e-8))
    return distance


def cosine_mse_pearson(cosine: Tensor, score: Tensor) -> Tensor:
    """Squared error plus `PEARSON_SHARE` times the Pearson distance of the batch."""
    return cosine_mse(cosine, score) + PEARSON_SHARE * pearson_distance(cosine, score)


def cosent(cosine: Tensor, score: Tensor) -> Tensor:
    """CoSENT: log(1 + Σ exp(scale · (cos_i - cos_j))) over all i, j with score_i < score_j.

    Only the order of the scores matters, not their range. A batch of equal scores gives 0. Source:
    Su, "CoSENT", 2022 (kexue.fm/archives/8847).
    """
    gaps = COSENT_SCALE * (cosine[:, None] - cosine[None, :])
    # A pair i, j is in the wrong order if its gap is positive.
    ordered_gaps = gaps.masked_fill(score[:, None] >= score[None, :], float("-inf"))
    return torch.logsumexp(torch.cat([gaps.new_zeros(1), ordered_gaps.reshape(-1)]), 0)


def mark_cross_entropy(cosine: Tensor, mark: Tensor, threshold: float) -> Tensor:
    """Binary cross entropy of σ(`MARK_SCALE` · (cosine - threshold)), (b,), with marks 0/1, (b,).

    A scalar. Source: Zhai et al., arXiv 2303.15343, there with a learned scale and threshold.
    """
    return F.binary_cross_entropy_with_logits(MARK_SCALE * (cosine - threshold), mark)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cosine-mse": cosine_mse,
    "cosine-mse-pearson": cosine_mse_pearson,
    "cosent": cosent,
}
