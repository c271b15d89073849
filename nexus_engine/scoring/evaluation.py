"""How well cosine similarity orders pairs, and how much of the base model's order is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nexus_engine.model.sentence_model import cosine
from nexus_engine.model.tokens import Rows, TokenStore
from nexus_engine.scoring.corpus import PairRows
from nexus_engine.scoring.correlation import pearson, spearman

__all__ = [
    "Baseline",
    "Correlations",
    "Measured",
    "correlate",
    "embed_all",
    "pair_cosines",
]

TOKENS_PER_FORWARD = 2048
"""Tokens in one inference batch: bounds its memory."""
MIXED_UP_TO = 64
"""Tokens of the longest sentences that are mixed with all others. Where the plain encoder pads a
batch to its longest, one of 256 tokens among short ones would cost half a gigabyte."""

Embed = Callable[[Rows], Tensor]
"""Store rows (m,) to embeddings (m, width)."""


class Correlations(NamedTuple):
    """Of cosine similarity with the scores: -1..1 each; `cosine` (n,) is what was correlated."""

    spearman: float
    pearson: float
    cosine: npt.NDArray[np.float64]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What an evaluation found: dev correlations, and the guard's (see `events.Evaluated`)."""

    epoch: int = 0
    spearman: float = float("-inf")
    pearson: float = float("nan")
    guard_spearman: float = float("nan")
    guard_scored_spearman: float = float("nan")


def embed_all(
    embed: Embed, store: TokenStore, rows: Rows, check: Callable[[], None] = lambda: None
) -> Tensor:
    """(m, width) float32 on the CPU: embeddings of the store's `rows`, each distinct row once.

    Batches are of mixed lengths, which fill bins best (see `nexus_engine.model.cpu.layout`), long
    sentences apart by length, and of about `TOKENS_PER_FORWARD` tokens. `check` is called before
    each batch and may raise to stop. The model must be in inference mode.
    """
    distinct, back = np.unique(rows, return_inverse=True)
    if not len(distinct):
        raise ValueError("no rows to embed")
    order = np.random.default_rng(len(distinct)).permutation(len(distinct))
    lengths = store.lengths_of(distinct[order])
    order = order[np.argsort(np.where(lengths > MIXED_UP_TO, lengths, 0), kind="stable")]
    begun = np.cumsum(store.lengths_of(distinct[order])) // TOKENS_PER_FORWARD
    found: Tensor | None = None
    with torch.inference_mode():
        for chosen in np.split(order, np.flatnonzero(np.diff(begun)) + 1):
            check()
            vectors = embed(distinct[chosen]).float().cpu()
            if found is None:
                found = torch.empty(len(distinct), vectors.shape[1])
            found[torch.from_numpy(chosen)] = vectors
        assert found is not None
        return found[torch.from_numpy(back)]


def pair_cosines(
    embed: Embed, store: TokenStore, pairs: PairRows, check: Callable[[], None] = lambda: None
) -> npt.NDArray[np.float64]:
    """Cosine similarity of each pair, (n,), -1..1."""
    vectors = embed_all(embed, store, np.concatenate([pairs.first, pairs.second]), check)
    n = len(pairs)
    return cosine(vectors[:n].double(), vectors[n:].double()).numpy()


def correlate(
    cosines: npt.NDArray[np.float64], scores: npt.NDArray[np.float32], *, undefined: bool = False
) -> Correlations:
    """Spearman's and Pearson's correlation of (n,) similarities with (n,) scores.

    With `undefined` the similarities are equal but for rounding: they are taken as equal.
    """
    if undefined:
        cosines = np.full_like(cosines, cosines[0])
    wide = scores.astype(np.float64)
    return Correlations(spearman(cosines, wide), pearson(cosines, wide), cosines)


class Baseline(NamedTuple):
    """The untouched base model: its dev correlations and its guard similarities (n,)."""

    dev: Correlations
    guard: npt.NDArray[np.float64]
    guard_scored: float

    @property
    def measured(self) -> Measured:
        """As the evaluation of epoch 0."""
        return Measured(
            epoch=0,
            spearman=self.dev.spearman,
            pearson=self.dev.pearson,
            guard_spearman=1.0,
            guard_scored_spearman=self.guard_scored,
        )
