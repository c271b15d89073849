"""What the arms of a run learn from: the training examples of its corpus as an objective."""

from __future__ import annotations

import numpy as np

from nexus_engine.config import Settings
from nexus_engine.data.questions.answers import Ragged
from nexus_engine.model.tokens import Rows
from nexus_engine.scoring.corpus import Corpus, QuestionCorpus
from nexus_engine.training.arm.mining import HardNegatives
from nexus_engine.training.steps.objective import GradedPairs, Objective
from nexus_engine.training.steps.question_pairs import QuestionPairs

__all__ = ["example_rows", "known_answers", "objective_of"]


def objective_of(
    corpus: Corpus | QuestionCorpus, settings: Settings, negatives: HardNegatives | None
) -> Objective:
    """The training examples of `corpus` with the loss of `settings`, and their hard negatives."""
    dims = settings.dims or ()
    if isinstance(corpus, Corpus):
        return GradedPairs(corpus.train, corpus.store, settings.loss, dims)
    rows = None if negatives is None else negatives.all_rows
    return QuestionPairs(*example_rows(corpus), known_answers(corpus), corpus.store, rows, dims)


def example_rows(corpus: QuestionCorpus) -> tuple[Rows, Rows]:
    """The weak pairs, then each train question with each of its answers, as store rows.

    Returns questions (w + n,) and answers (w + n,).
    """
    train = corpus.train
    questions = train.questions[train.answers.rows.owners()]
    answers = corpus.passages[train.answers.rows.values]
    return np.concatenate([corpus.weak[0], questions]), np.concatenate([corpus.weak[1], answers])


def known_answers(corpus: QuestionCorpus) -> Ragged:
    """For each store row the store rows of its known answers, none unless it is a question."""
    questions, answers = example_rows(corpus)
    order = np.argsort(questions, kind="stable")
    counts = np.bincount(questions, minlength=len(corpus.store))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Ragged(offsets, answers[order])
