"""The texts on which an export is checked, and the deciding metric on the run's dev data."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec
import numpy as np
import torch

from nexus_engine.config import Settings
from nexus_engine.data import PairData, Pairs
from nexus_engine.data.files.general import load_general
from nexus_engine.data.questions.question_data import QuestionData
from nexus_engine.errors import NexusError, one_line
from nexus_engine.exports.plain_model import Floats
from nexus_engine.model.base_model import BaseModel
from nexus_engine.runs.folder import RunFolder
from nexus_engine.scores import Metric
from nexus_engine.scoring.corpus_sample import sample_corpus
from nexus_engine.scoring.evaluation import correlate
from nexus_engine.scoring.ranking import ranks_of_answers, score_ranks
from nexus_engine.training.inputs import read_data

__all__ = ["CheckTexts", "check_texts", "run_data"]

MAX_PAIRS = 2_000
MAX_QUESTIONS = 500
MAX_PASSAGES = 2_000
"""Passages that questions are ranked against here; a slow reader embeds them in a minute or two."""
GENERAL = 40
ODD = (
    "a",
    "ÉCOLE naïve Straße 漢字 かな",
    "don't\tstop\nat 3.14 % — or \N{GRINNING FACE}",
    "supercalifragilisticexpialidocious " * 3,
    "one two three four " * 300,
)
"""Texts that readers treat differently: accents, other scripts, and one that every reader cuts."""


class CheckTexts(NamedTuple):
    """`texts` to embed, distinct, and `score`, which judges their embeddings (n, 384) on dev.

    Without the run's data, `score` is None and `missing` says why in one line. `words` says what
    is judged. The texts are the user's: they go nowhere but into a pipe.
    """

    texts: list[str]
    metric: Metric
    score: Callable[[Floats], float] | None
    words: str
    missing: str = ""

    def __repr__(self) -> str:
        return f"CheckTexts(n={len(self.texts)}, words={self.words!r})"


def run_data(folder: RunFolder, base: BaseModel) -> PairData | QuestionData | str:
    """The data that the run in `folder` was trained on, or one line that says why it is missing."""
    try:
        settings = msgspec.convert(folder.read_run().get("settings"), Settings)
        return read_data(settings, base)
    except msgspec.ValidationError:
        return "its settings are of an earlier version"
    except (NexusError, OSError) as error:
        return one_line(error, 200)


def check_texts(data: PairData | QuestionData | str, metric: Metric) -> CheckTexts:
    """General and odd texts and, where there are `data`, those of dev with their judgement."""
    texts: dict[str, int] = {}
    for text in (*ODD, *load_general()[:GENERAL]):
        texts.setdefault(text, len(texts))
    if isinstance(data, str):
        return CheckTexts(list(texts), metric, None, "", data)
    if isinstance(data, PairData):
        return _pairs(data.dev, texts)
    return _questions(data, texts)


def _pairs(dev: Pairs, texts: dict[str, int]) -> CheckTexts:
    if len(dev) > MAX_PAIRS:
        dev = dev.take(np.sort(np.random.default_rng(0).permutation(len(dev))[:MAX_PAIRS]))
    first, second = (_rows(column.to_pylist(), texts) for column in (dev.first, dev.second))
    scores = dev.scores
    assert scores is not None

    def score(vectors: Floats) -> float:
        wide = vectors.astype(np.float64)
        wide /= np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
        return correlate((wide[first] * wide[second]).sum(1), scores).spearman

    return CheckTexts(list(texts), "spearman", score, f"{len(dev):,} dev pairs")


def _questions(data: QuestionData, texts: dict[str, int]) -> CheckTexts:
    dev = data.dev
    if len(dev) > MAX_QUESTIONS:
        dev = dev.take(np.sort(np.random.default_rng(0).permutation(len(dev))[:MAX_QUESTIONS]))
    sample = sample_corpus([dev.answers], len(data.passages), MAX_PASSAGES, 0)
    answers = sample.answers(dev.answers)
    questions = _rows(dev.questions.to_pylist(), texts)
    passages = _rows(data.passages.take(sample.rows).to_pylist(), texts)

    def score(vectors: Floats) -> float:
        wide = torch.from_numpy(np.ascontiguousarray(vectors))
        ranks = ranks_of_answers(wide[questions], wide[passages], answers)
        return score_ranks(ranks, answers).mean().ndcg_at_10

    words = f"{len(dev):,} dev questions among {len(passages):,} passages"
    return CheckTexts(list(texts), "ndcg_at_10", score, words)


def _rows(some: list[str], texts: dict[str, int]) -> list[int]:
    """The row of each text; new texts are added to `texts`."""
    return [texts.setdefault(text, len(texts)) for text in some]
