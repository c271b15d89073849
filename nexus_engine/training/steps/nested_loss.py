"""Nested vectors: the first numbers of an embedding are to serve alone as a smaller embedding.

Source: Kusupati et al., "Matryoshka Representation Learning", arXiv 2205.13147, with equal weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["nested_loss", "nested_sizes"]


def nested_sizes(dims: Sequence[int], width: int) -> tuple[int, ...]:
    """`dims` and the full `width`, each once, smallest first.

    Raises:
        ValueError: one of `dims` lies outside 1..width.
    """
    for size in dims:
        if not 1 <= size <= width:
            raise ValueError(f"a nested size of {size} lies outside 1 to {width}")
    return tuple(sorted({*dims, width}))


def nested_loss(
    loss: Callable[[Tensor], Tensor], vectors: Tensor, dims: Sequence[int] = ()
) -> Tensor:
    """The mean of `loss` over the first d numbers of each of `vectors`, for each nested size d.

    Args:
        loss: Maps embeddings (m, d) to a scalar, by their cosines: a shorter vector is thereby
            normalised again.
        vectors: (m, width) embeddings.
        dims: Sizes beside the full width, 1..width. Without any, the result is `loss(vectors)`.
    """
    if not dims:
        return loss(vectors)
    sizes = nested_sizes(dims, vectors.shape[1])
    return torch.stack([loss(vectors[:, :size]) for size in sizes]).mean()
