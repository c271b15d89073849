"""Similarities and correlations of a whole set of pairs, for commands that read a file once.

`score_pairs` and `evaluate` take `Pairs`, columns of a file, and return arrays. To query a
few pairs at a time, with the models kept in memory, use `nexus_engine.scoring.querying`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from nexus_engine.data import Pairs
from nexus_engine.model.encoder_weights import load_encoder
from nexus_engine.model.sentence_model import SentenceModel
from nexus_engine.model.tokens import TokenStore
from nexus_engine.runs.saved_model import LoadedModel, check_finite
from nexus_engine.scoring.corpus import PairRows, pair_rows
from nexus_engine.scoring.correlation import Interval, bootstrap_gain
from nexus_engine.scoring.cut_texts import indistinct, pair_notes
from nexus_engine.scoring.evaluation import (
    FEW,
    Correlations,
    Cosines,
    correlate,
    embed_few,
    pair_cosines,
)

__all__ = ["SideBySide", "compare", "distinct_sentences", "evaluate", "score_pairs"]

Progress = Callable[[int], None]
"""Receives the number of sentences done since the last call."""


class SideBySide(NamedTuple):
    """Cosine similarities (n,), -1..1, of the same pairs by the base model and by the tuned model.

    `notes` are lines for the user about truncated texts. `undefined` says why correlation with the
    scores is undefined; it is empty if it is defined (see `cut_texts`).
    """

    base: Cosines
    tuned: Cosines
    notes: tuple[str, ...] = ()
    undefined: str = ""


def _cosines(
    model: SentenceModel, name: str, store: TokenStore, pairs: PairRows, progress: Progress
) -> Cosines:
    model.eval()
    compute = embed_few if len(store) <= FEW and model.embeds_single else SentenceModel.embed

    def embed(rows: npt.NDArray[np.int64]) -> Tensor:
        vectors = check_finite(compute(model, store, rows), name)
        progress(len(rows))
        return vectors

    return pair_cosines(embed, store, pairs)


def distinct_sentences(pairs: Pairs) -> int:
    """The number of sentences that `score_pairs` and `evaluate` embed with each model."""
    sentences = pairs.first.to_pylist() + pairs.second.to_pylist()
    return len(set(sentences))


def score_pairs(
    loaded: LoadedModel, pairs: Pairs, progress: Progress = lambda _: None
) -> SideBySide:
    """The similarities of `pairs` by a model and by its base. Scores are not needed.

    Each model embeds each distinct sentence once. If `loaded` is the base model, both sides are the
    same array.

    Raises:
        ModelError: a model's weights are too large to compute with.
    """
    store = TokenStore(loaded.tokenizer)
    rows = pair_rows(store, pairs)
    notes = tuple(pair_notes(store, rows))
    undefined = "" if pairs.scores is None else indistinct(store, rows)
    if loaded.card is None:
        base = _cosines(loaded.model, loaded.name, store, rows, progress)
        return SideBySide(base, base, notes, undefined)
    tuned = _cosines(loaded.model, loaded.name, store, rows, progress)
    base_model = SentenceModel(load_encoder(loaded.base))
    base_model.dtype = loaded.model.dtype
    base = _cosines(base_model, "base", store, rows, progress)
    return SideBySide(base, tuned, notes, undefined)


def evaluate(
    loaded: LoadedModel,
    pairs: Pairs,
    progress: Progress = lambda _: None,
    note: Callable[[str], None] = lambda _: None,
) -> Correlations:
    """Spearman and Pearson of one model's similarities with the scores of `pairs`.

    `pairs` must have scores. `note` receives each line for the user about truncated texts (see
    `cut_texts`). Both correlations are NaN if the model cannot tell the pairs apart, since the
    similarities would then differ only by rounding.

    Raises:
        ModelError: the model's weights are too large to compute with.
    """
    assert pairs.scores is not None
    store = TokenStore(loaded.tokenizer)
    rows = pair_rows(store, pairs)
    for line in pair_notes(store, rows):
        note(line)
    cosines = _cosines(loaded.model, loaded.name, store, rows, progress)
    reason = indistinct(store, rows)
    if reason:
        note(reason)
    return correlate(cosines, pairs.scores, undefined=bool(reason))


def compare(models: Sequence[Correlations], pairs: Pairs) -> list[Interval]:
    """Each model's Spearman minus the first model's, with the 95 % interval of a paired bootstrap.

    All intervals are NaN if a Spearman is NaN.
    """
    assert pairs.scores is not None
    first, *others = models
    scores = pairs.scores
    if np.isnan([model.spearman for model in models]).any():
        return [Interval(np.nan, np.nan, np.nan) for _ in models]
    gains = [bootstrap_gain(model.cosine, first.cosine, scores) for model in others]
    return [Interval(0.0, 0.0, 0.0), *gains]
