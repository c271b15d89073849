"""Similarity of sentence pairs by a trained model and by its base, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from nexus_engine.data import Pairs
from nexus_engine.model.base_model import load_encoder
from nexus_engine.model.sentence_model import SentenceModel
from nexus_engine.model.tokens import TokenStore
from nexus_engine.runs.saved_model import LoadedModel, check_finite
from nexus_engine.scoring.corpus import PairRows, pair_rows
from nexus_engine.scoring.correlation import Interval, bootstrap_gain
from nexus_engine.scoring.cut_texts import indistinct, pair_notes
from nexus_engine.scoring.evaluation import Correlations, correlate, pair_cosines

__all__ = ["SideBySide", "compare", "evaluate", "score_pairs"]

Cosines = npt.NDArray[np.float64]
Progress = Callable[[int], None]
"""Told how many more sentences are done."""


class SideBySide(NamedTuple):
    """Cosine similarities, (n,), -1..1, by the base model and by the tuned one.

    `notes` is what the user should know of the texts, a line each, and `undefined` why the
    similarities cannot be correlated with scores, empty where they can (see `cut_texts`).
    """

    base: Cosines
    tuned: Cosines
    notes: tuple[str, ...] = ()
    undefined: str = ""


def _cosines(
    model: SentenceModel, name: str, store: TokenStore, pairs: PairRows, progress: Progress
) -> Cosines:
    def embed(rows: npt.NDArray[np.int64]) -> Tensor:
        vectors = check_finite(model.embed(store, rows), name)
        progress(len(rows))
        return vectors

    model.eval()
    return pair_cosines(embed, store, pairs)


def distinct_sentences(pairs: Pairs) -> int:
    """How many sentences `score_pairs` and `evaluate` embed for `pairs` with one model."""
    both = pairs.first.to_pylist() + pairs.second.to_pylist()
    return len(set(both))


def score_pairs(
    loaded: LoadedModel, pairs: Pairs, progress: Progress = lambda _: None
) -> SideBySide:
    """Each pair by both models, in one pass over the distinct sentences for each.

    For the base model itself both sides are the same array.

    Raises:
        ModelError: the weights of one are too large to compute with.
    """
    store = TokenStore(loaded.tokenizer)
    rows = pair_rows(store, pairs)
    about = tuple(pair_notes(store, rows)), "" if pairs.scores is None else indistinct(store, rows)
    if loaded.card is None:
        only = _cosines(loaded.model, loaded.name, store, rows, progress)
        return SideBySide(only, only, *about)
    tuned = _cosines(loaded.model, loaded.name, store, rows, progress)
    untouched = SentenceModel(load_encoder(loaded.base))
    untouched.dtype = loaded.model.dtype
    base = _cosines(untouched, "base", store, rows, progress)
    return SideBySide(base, tuned, *about)


def evaluate(
    loaded: LoadedModel,
    pairs: Pairs,
    progress: Progress = lambda _: None,
    note: Callable[[str], None] = lambda _: None,
) -> Correlations:
    """Spearman and Pearson of the model's cosine similarity with the scores of `pairs`.

    `note` is told what the user should know of the texts (see `cut_texts`). Both are NaN where the
    pairs themselves leave them undefined: what was then left to rank would be rounding.

    Raises:
        ModelError: its weights are too large to compute with.
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


def compare(found: Sequence[Correlations], pairs: Pairs) -> list[Interval]:
    """Each model's Spearman minus the first one's, with the 95 % interval of a paired bootstrap."""
    assert pairs.scores is not None
    first, *others = found
    scores = pairs.scores
    if np.isnan([model.spearman for model in found]).any():  # no resample has a difference either
        return [Interval(np.nan, np.nan, np.nan) for _ in found]
    gains = [bootstrap_gain(model.cosine, first.cosine, scores) for model in others]
    return [Interval(0.0, 0.0, 0.0), *gains]
