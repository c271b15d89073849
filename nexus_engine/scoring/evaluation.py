"""Cosine similarity of pairs, and its correlation with their scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nexus_engine.model.sentence_model import SentenceModel, cosine
from nexus_engine.model.tokens import Rows, TokenStore
from nexus_engine.scoring.corpus import PairRows
from nexus_engine.scoring.correlation import pearson, spearman

__all__ = [
    "FEW",
    "Baseline",
    "Correlations",
    "Cosines",
    "GuardScores",
    "Judged",
    "Measured",
    "correlate",
    "embed_all",
    "embed_few",
    "measured_at",
    "pair_cosines",
    "score_guard",
    "stored_measured",
]

TOKENS_PER_FORWARD = 2048
"""Tokens in an inference batch; bounds its memory."""
FEW = 2
"""Up to this many sentences are embedded one by one, as somebody waits for them."""
MAX_MIXED_TOKENS = 64
"""Sentences up to this length share batches in random order. The plain encoder pads a batch to its
longest sentence, so one of 256 tokens among short ones would cost half a gigabyte."""

Cosines = npt.NDArray[np.float64]
"""Cosine similarities of pairs, (n,), -1..1."""
Embed = Callable[[Rows], Tensor]
"""Computes the embeddings (m, width) of store rows (m,)."""


class Judged(NamedTuple):
    """How well a model does on a split.

    `values` (n,) belong to single examples and are what a paired bootstrap resamples: similarities
    of pairs, or the nDCG@10 of questions. `details` are further scores by name.
    """

    score: float
    values: npt.NDArray[np.float64]
    details: Mapping[str, float] = MappingProxyType({})


class Correlations(NamedTuple):
    """Correlations, -1..1, of the similarities `cosine` (n,) with the pairs' scores."""

    spearman: float
    pearson: float
    cosine: Cosines


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an evaluation on dev and the guard.

    `score` is by the metric that decides, `details` are further scores by their names in
    `events.Evaluated`. The guard's half that steers rehearsal is `steering_spearman`, the other
    half `apart_spearman`.
    """

    epoch: int = 0
    score: float = float("-inf")
    details: dict[str, float] = {}
    guard_spearman: float = float("nan")
    guard_scored_spearman: float = float("nan")
    steering_spearman: float = float("nan")
    apart_spearman: float = float("nan")


def stored_measured(fields: Mapping[str, Any]) -> Measured:
    """A `Measured` from a checkpoint; earlier versions stored `spearman` and `pearson` instead.

    Raises:
        msgspec.ValidationError: the fields are not those of a `Measured`.
    """
    values = dict(fields)
    if "spearman" in values:
        values["score"] = values.pop("spearman")
        values["details"] = {"pearson": values.pop("pearson", math.nan)}
    return msgspec.convert(values, Measured)


class GuardScores(NamedTuple):
    """The guard under a model: agreement with the base, and correlation with the pairs' scores.

    `steering` and `apart` are that correlation on the two halves: the pairs of even and of odd
    number.
    """

    agreement: float
    scored: float
    steering: float
    apart: float


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


def embed_few(model: SentenceModel, store: TokenStore, rows: Rows) -> Tensor:
    """Embeddings of a few of the store's `rows` (m,), one by one: (m, width), not normalised.

    See `SentenceModel.embed_single`.
    """
    ids = (store.tokens(rows[place : place + 1])[0].tolist() for place in range(len(rows)))
    return torch.cat([model.embed_single(each) for each in ids])


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


def score_guard(cosines: Cosines, base: Cosines, scores: npt.NDArray[np.float32]) -> GuardScores:
    """The guard's scores from similarities by the model and by the base, (n,) each."""
    return GuardScores(
        spearman(cosines, base),
        spearman(cosines, scores),
        spearman(cosines[::2], scores[::2]),
        spearman(cosines[1::2], scores[1::2]),
    )


def measured_at(epoch: int, dev: Judged, guard: GuardScores) -> Measured:
    """The result of an evaluation at the end of `epoch`."""
    return Measured(
        epoch=epoch,
        score=dev.score,
        details=dict(dev.details),
        guard_spearman=guard.agreement,
        guard_scored_spearman=guard.scored,
        steering_spearman=guard.steering,
        apart_spearman=guard.apart,
    )


class Baseline(NamedTuple):
    """The untrained base model: its judgement on dev, its guard similarities (n,) and scores.

    `general` (g, width) are its embeddings of the general sentences; None without rehearsal.
    `passages` (r, width) are those of the passages that are ranked; None with graded pairs.
    `neighbours` (n, width) are those of the training examples' questions; None unless similar
    questions share batches.
    """

    dev: Judged
    guard: Cosines
    guard_scores: GuardScores
    general: Tensor | None = None
    passages: Tensor | None = None
    neighbours: Tensor | None = None

    @property
    def measured(self) -> Measured:
        """The same as the evaluation of epoch 0."""
        return measured_at(0, self.dev, self.guard_scores)
