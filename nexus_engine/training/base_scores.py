"""The scores of the base model on dev and guard, before the first step."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import numpy.typing as npt
import torch

from nexus_engine.config import Settings
from nexus_engine.events import Event
from nexus_engine.model.sentence_model import SentenceModel
from nexus_engine.scoring.corpus import Corpus, PairRows, QuestionCorpus
from nexus_engine.scoring.evaluation import Baseline, Embed, embed_all, pair_cosines, score_guard
from nexus_engine.scoring.judging import judge_of
from nexus_engine.training.arm.examples import example_rows
from nexus_engine.training.arm.judging import judged, judging_dtype
from nexus_engine.training.hardware import Hardware
from nexus_engine.training.steering import Steering

__all__ = ["base_cosines", "base_embedder", "measure_base"]


def measure_base(
    model: SentenceModel,
    corpus: Corpus | QuestionCorpus,
    features: torch.Tensor | None,
    steering: Steering,
    settings: Settings,
    hardware: Hardware,
) -> Generator[Event, None, Baseline]:
    """The base model's dev and guard scores; computed from `features` if they are given.

    Yields progress where it takes long.
    """
    guard = base_cosines(model, corpus, corpus.guard, features, steering)
    judge = judge_of(corpus)
    embed = base_embedder(model, corpus, features)
    dtype = judging_dtype(corpus, hardware)
    to_judge = base_embedder(model, corpus, features, dtype)
    dev = yield from judged(judge.judge(to_judge, "dev", steering.check), "dev")
    general = None
    if len(corpus.general):
        general = embed_all(embed, corpus.store, corpus.general, steering.check)
    guard_scores = score_guard(guard, guard, corpus.guard.scores)
    neighbours = None
    if settings.order == "neighbours" and not isinstance(corpus, Corpus):
        questions, _ = example_rows(corpus)
        neighbours = embed_all(embed, corpus.store, questions, steering.check)
    return Baseline(dev, guard, guard_scores, general, judge.passages, neighbours)


def base_embedder(
    model: SentenceModel,
    corpus: Corpus | QuestionCorpus,
    features: torch.Tensor | None,
    dtype: torch.dtype | None = None,
) -> Embed:
    """The base model's embeddings of store rows; `dtype` as in `SentenceModel.embed`."""

    def embed(rows: npt.NDArray[np.int64]) -> torch.Tensor:
        if features is not None:
            return features[torch.from_numpy(rows).to(features.device)]
        return model.embed(corpus.store, rows, dtype)

    return embed


def base_cosines(
    model: SentenceModel,
    corpus: Corpus | QuestionCorpus,
    pairs: PairRows,
    features: torch.Tensor | None,
    steering: Steering,
) -> npt.NDArray[np.float64]:
    """The base model's cosine similarity of each pair, (n,)."""
    embed = base_embedder(model, corpus, features)
    return pair_cosines(embed, corpus.store, pairs, steering.check)
