"""Cosine similarity of pairs, and its correlation with their scores."""

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
    "Cosines",
    "Measured",
    "correlate",
    "embed_all",
    "pair_cosines",
]

TOKENS_PER_FORWARD = 2048
"""Tokens in an inference batch; bounds its memory."""
MAX_MIXED_TOKENS = 64
"""Sentences up to this length share batches in random order. The plain encoder pads a batch to its
longest sentence, so one of 256 tokens among short ones would cost half a gigabyte."""

Cosines = npt.NDArray[np.float64]
"""Cosine similarities of pairs, (n,), -1..1."""
Embed = Callable[[Rows], Tensor]
"""Computes the embeddings (m, width) of store rows (m,)."""


class Correlations(NamedTuple):
    """Correlations, -1..1, of the similarities `cosine` (n,) with the pairs' scores."""

    spearman: float
    pearson: float
    cosine: Cosines


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an evaluation: correlations on dev and the guard (see `events.Evaluated`)."""

    epoch: int = 0
    spearman: float = float("-inf")
    pearson: float = float("nan")
    guard_spearman: float = float("nan")
    guard_scored_spearman: float = float("nan")


def embed_all(
    embed: Embed, store: TokenStore, rows: Rows, check: Callable[[], None] = lambda: None
) -> Tensor:
    """Embeddings of the store's `rows` (m,): (m, width) float32 on the CPU.

    Each distinct row is embedded once, in batches of about `TOKENS_PER_FORWARD` tokens. Batches mix
    lengths, which fills bins best (see `nexus_engine.model.cpu.layout`); only long sentences are
    sorted by length. `check` is called before each batch and may raise to stop. The model must be
    in inference mode.

    Raises:
        ValueError: `rows` is empty.
    """
    distinct, inverse = np.unique(rows, return_inverse=True)
    if not len(distinct):
        raise ValueError("no rows to embed")
    order = np.random.default_rng(len(distinct)).permutation(len(distinct))
    lengths = store.lengths_of(distinct[order])
    order = order[np.argsort(np.where(lengths > MAX_MIXED_TOKENS, lengths, 0), kind="stable")]
    batch_of = np.cumsum(store.lengths_of(distinct[order])) // TOKENS_PER_FORWARD
    embeddings: Tensor | None = None
    with torch.inference_mode():
        for batch in np.split(order, np.flatnonzero(np.diff(batch_of)) + 1):
            check()
            vectors = embed(distinct[batch]).float().cpu()
            if embeddings is None:
                embeddings = torch.empty(len(distinct), vectors.shape[1])
            embeddings[torch.from_numpy(batch)] = vectors
        assert embeddings is not None
        return embeddings[torch.from_numpy(inverse)]


def pair_cosines(
    embed: Embed, store: TokenStore, pairs: PairRows, check: Callable[[], None] = lambda: None
) -> Cosines:
    """The cosine similarity of each pair; see `embed_all`."""
    vectors = embed_all(embed, store, np.concatenate([pairs.first, pairs.second]), check)
    n = len(pairs)
    return cosine(vectors[:n].double(), vectors[n:].double()).numpy()


def correlate(
    cosines: Cosines, scores: npt.NDArray[np.float32], *, undefined: bool = False
) -> Correlations:
    """Spearman's and Pearson's correlation of (n,) similarities with (n,) scores.

    `undefined` says that the similarities differ only by rounding; both correlations are then NaN.
    """
    if undefined:
        cosines = np.full_like(cosines, cosines[0])
    scores64 = scores.astype(np.float64)
    return Correlations(spearman(cosines, scores64), pearson(cosines, scores64), cosines)


class Baseline(NamedTuple):
    """The untrained base model: its dev correlations, guard similarities and guard Spearman."""

    dev: Correlations
    guard: Cosines
    guard_scored: float

    @property
    def measured(self) -> Measured:
        """The same as the evaluation of epoch 0."""
        return Measured(
            epoch=0,
            spearman=self.dev.spearman,
            pearson=self.dev.pearson,
            guard_spearman=1.0,
            guard_scored_spearman=self.guard_scored,
        )
