"""In-batch ranking: each question should find its passage among all passages of the batch.

Tensor maths alone, apart from any model. What a passage or a question may not be scored against,
since it is right or equal, is masked by the caller.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["SCALE", "ranking_loss", "rehearsal_loss", "triplet_loss"]

SCALE = 20.0
"""Inverse temperature of the cosines."""
MARGIN = 0.1
"""Of triplets, in cosine."""


def ranking_loss(
    questions: Tensor, passages: Tensor, known: Tensor, *, scale: float = SCALE
) -> Tensor:
    """Cross entropy of each question over all passages, and of each passage over all questions.

    Args:
        questions: (b, width) embeddings.
        passages: (m, width) embeddings, m at least b: passage i is the answer of question i, and
            those from b on are negatives.
        known: (b, m) bool, True where passage j is a known answer of question i, or equal to one.
            Those other than i's own passage are left out of both sums.
        scale: What the cosines are multiplied with.

    The mean of both directions, a scalar (Henderson et al., arXiv 1705.00652, with the symmetric
    form of arXiv 2103.00020). Negatives take no part in the second direction.
    """
    b = len(questions)
    logits = scale * F.normalize(questions, dim=1) @ F.normalize(passages, dim=1).T
    own = torch.arange(b, device=logits.device)
    others = known.clone()
    others[own, own] = False
    logits = logits.masked_fill(others, float("-inf"))
    forward = F.cross_entropy(logits, own)
    backward = F.cross_entropy(logits[:, :b].T, own)
    return (forward + backward) / 2


def triplet_loss(
    anchors: Tensor, positives: Tensor, negatives: Tensor, counted: Tensor | None = None
) -> Tensor:
    """Hinge on cosines of (b, width) each: the positive is to be nearer by `MARGIN`.

    A scalar, the mean over the triplets; with `counted` (b,) bool, over those where it is True, and
    0 if there is none. Source: Schroff et al., arXiv 1503.03832, there with squared distances.
    """
    near = F.cosine_similarity(anchors, positives)
    far = F.cosine_similarity(anchors, negatives)
    hinges = F.relu(far - near + MARGIN)
    if counted is None:
        return hinges.mean()
    # No selection: a CUDA graph needs shapes that do not depend on values.
    return hinges.masked_fill(~counted, 0.0).sum() / counted.sum().clamp_min(1)


def rehearsal_loss(tuned: Tensor, base: Tensor) -> Tensor:
    """Mean of 1 - cosine between the tuned and the base model's embeddings, (n, width) each."""
    return (1 - F.cosine_similarity(tuned, base)).mean()
