"""The texts on which an export is checked, and the deciding metric on the run's data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from nexus_engine.config import Settings
from nexus_engine.data import PairData, Pairs
from nexus_engine.data.files.general import load_general
from nexus_engine.data.questions.question_data import QuestionData, QuestionSplit
from nexus_engine.errors import NexusError, one_line
from nexus_engine.exports.plain_model import Floats
from nexus_engine.model.base_model import BaseModel
from nexus_engine.model.shape import Prompts
from nexus_engine.runs.folder import RunFolder
from nexus_engine.scores import Metric
from nexus_engine.scoring.corpus_sample import sample_corpus
from nexus_engine.scoring.evaluation import correlate
from nexus_engine.scoring.ranking import ranks_of_answers, score_ranks
from nexus_engine.training.inputs import read_data

__all__ = ["CheckTexts", "SampleSizes", "check_texts", "run_data"]

GENERAL = 40
ODD = (
    "a",
    "ÉCOLE naïve Straße 漢字 かな",
    "don't\tstop\nat 3.14 % — or \N{GRINNING FACE}",
    "supercalifragilisticexpialidocious " * 3,
    "one two three four " * 300,
)
"""Texts that readers treat differently: accents, other scripts, and one that every reader cuts."""


class SampleSizes(NamedTuple):
    """How much of a split is judged, at most; a slow reader embeds it in a minute or two.

    `passages` are those that questions are ranked against.
    """

    pairs: int = 2_000
    questions: int = 500
    passages: int = 2_000


class CheckTexts(NamedTuple):
    """`texts` to embed, distinct, and `score`, which judges their embeddings (n, width) on a split.

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


def check_texts(
    data: PairData | QuestionData | str,
    metric: Metric,
    split: Literal["dev", "test"] = "dev",
    sizes: SampleSizes = SampleSizes(),  # noqa: B008  (it cannot change)
    prompts: Prompts = Prompts(),  # noqa: B008
) -> CheckTexts:
    """General and odd texts and, where there are `data`, those of a split with their judgement.

    Texts of the data have the model's `prompts` before them.
    """
    texts: dict[str, int] = {}
    for text in (*ODD, *load_general()[:GENERAL]):
        texts.setdefault(text, len(texts))
    if isinstance(data, str):
        return CheckTexts(list(texts), metric, None, "", data)
    if isinstance(data, PairData):
        return _pairs(data, texts, split, sizes, prompts)
    return _questions(data, texts, split, sizes, prompts)


def _pairs(
    data: PairData, texts: dict[str, int], split: str, sizes: SampleSizes, prompts: Prompts
) -> CheckTexts:
    pairs: Pairs = getattr(data, split)
    if len(pairs) > sizes.pairs:
        pairs = pairs.take(_chosen(len(pairs), sizes.pairs))
    columns = (pairs.first, pairs.second)
    first, second = (_rows(column.to_pylist(), texts, prompts.query) for column in columns)
    scores = pairs.scores
    assert scores is not None

    def score(vectors: Floats) -> float:
        wide = vectors.astype(np.float64)
        wide /= np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
        return correlate((wide[first] * wide[second]).sum(1), scores).spearman

    return CheckTexts(list(texts), "spearman", score, f"{len(pairs):,} {split} pairs")


def _questions(
    data: QuestionData, texts: dict[str, int], split: str, sizes: SampleSizes, prompts: Prompts
) -> CheckTexts:
    judged: QuestionSplit = getattr(data, split)
    if len(judged) > sizes.questions:
        judged = judged.take(_chosen(len(judged), sizes.questions))
    sample = sample_corpus([judged.answers], len(data.passages), sizes.passages, 0)
    answers = sample.answers(judged.answers)
    questions = _rows(judged.questions.to_pylist(), texts, prompts.query)
    taken = data.passages.take(sample.rows).to_pylist()
    passages = _rows(taken, texts, prompts.passage)

    def score(vectors: Floats) -> float:
        wide = torch.from_numpy(np.ascontiguousarray(vectors))
        ranks = ranks_of_answers(wide[questions], wide[passages], answers)
        return score_ranks(ranks, answers).mean().ndcg_at_10

    words = f"{len(judged):,} {split} questions among {len(passages):,} passages"
    return CheckTexts(list(texts), "ndcg_at_10", score, words)


def _chosen(n: int, count: int) -> npt.NDArray[np.int64]:
    return np.sort(np.random.default_rng(0).permutation(n)[:count])


def _rows(some: list[str], texts: dict[str, int], prompt: str) -> list[int]:
    """The row of each text behind `prompt`; new ones are added to `texts`."""
    return [texts.setdefault(prompt + text, len(texts)) for text in some]
