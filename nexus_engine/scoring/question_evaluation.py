"""Judging models on a file of questions, for commands that read it once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from nexus_engine.data.questions.answers import Answers, Ragged
from nexus_engine.data.questions.question_data import QuestionData, QuestionSplit
from nexus_engine.errors import DataError
from nexus_engine.model.tokens import Tokenizer, TokenStore
from nexus_engine.runs.saved_model import LoadedModel, base_of, check_finite
from nexus_engine.scoring.corpus import PairRows, QuestionCorpus, QuestionRows
from nexus_engine.scoring.corpus_sample import sample_corpus
from nexus_engine.scoring.correlation import Interval
from nexus_engine.scoring.evaluation import Judged
from nexus_engine.scoring.judging import QuestionJudge, run_through
from nexus_engine.scoring.ranking import (
    best_passage_ranks,
    bootstrap_mean,
    bootstrap_mean_gain,
    score_ranks,
)
from nexus_engine.scoring.search_texts import Documents
from nexus_engine.scoring.small_vectors import SmallVectors

__all__ = ["JudgedModel", "QuestionEvaluation", "base_of", "gains_over_first"]

SplitName = Literal["train", "dev", "test", "all"]
TEXTS_PER_CALL = 10_000


class JudgedModel(NamedTuple):
    """A model's judgement on a split: scores, nDCG@10 with its interval, and vector sizes."""

    judged: Judged
    interval: Interval
    sizes: tuple[SmallVectors, ...]


class QuestionEvaluation:
    """Questions of one split with the passages that they are ranked against.

    `sample` is the number of passages for `--eval-corpus`, None for all of them. The sample of a
    seed is the one that a run with that seed judges dev and test against. `by_document` ranks
    documents by their best passage instead: an answer is then a document that holds one.

    Raises:
        DataError: the split holds no question, or no passage was cut from a document.
    """

    def __init__(
        self,
        data: QuestionData,
        split: SplitName,
        sample: int | None = None,
        seed: int = 0,
        *,
        by_document: bool = False,
    ) -> None:
        parts = [data.train, data.dev, data.test] if split == "all" else [getattr(data, split)]
        self._splits: list[QuestionSplit] = [part for part in parts if len(part)]
        if not self._splits:
            which = "question" if split == "all" else f"{split} question"
            raise DataError(f"{data.name}: holds no {which}; choose another part with --split")
        self.data = data
        kept = [data.dev, data.test, *parts]
        size = len(data.passages) if sample is None else sample
        self._sample = sample_corpus(
            [part.answers for part in kept], len(data.passages), size, seed
        )
        self._corpora: dict[object, QuestionCorpus] = {}
        self._documents: npt.NDArray[np.int64] | None = None
        if by_document:
            if data.origins is None:
                reason = "holds no documents; --by document is for a folder of .txt and .md"
                raise DataError(f"{data.name}: {reason}")
            self._documents = Documents.of_origins(data.origins).numbers[self._sample.rows]

    def __len__(self) -> int:
        """The number of questions."""
        return sum(map(len, self._splits))

    @property
    def passages(self) -> int:
        """The number of passages that each question is ranked against."""
        return len(self._sample.rows)

    @property
    def ranked_words(self) -> str:
        """What each question is ranked against: "448 passages"."""
        if self._documents is None:
            return f"{self.passages:,} passages"
        return f"{len(np.unique(self._documents)):,} documents, each by its best passage"

    @property
    def note(self) -> str:
        """How the passages are sampled; empty if they are not."""
        return self._sample.note

    def judge(
        self,
        loaded: LoadedModel,
        dims: Sequence[int] = (),
        progress: Callable[[int], None] = lambda _: None,
    ) -> JudgedModel:
        """Judge one model on the vectors as they are and, with `dims`, on those cut to these sizes.

        `progress` gets the number of texts embedded since the last call. It counts up to the
        passages and questions together, and may raise to stop.

        Raises:
            ModelError: the model's weights are too large to compute with.
        """
        corpus = self._corpus(loaded.tokenizer)

        def embed(rows: npt.NDArray[np.int64]) -> Tensor:
            vectors = check_finite(loaded.model.embed(corpus.store, rows), loaded.name)
            progress(len(rows))
            return vectors

        judge = QuestionJudge(corpus)
        judged = run_through(judge.judge(embed, "test", lambda: None))
        if self._documents is not None:
            judged = _judged_by_document(judge, corpus.test.answers, self._documents)
        sizes = tuple(judge.sizes("test", tuple(dims), lambda: None)) if dims else ()
        return JudgedModel(judged, bootstrap_mean(judged.values), sizes)

    def cut_texts(self, loaded: LoadedModel) -> int:
        """How many of the texts are longer than the model reads."""
        corpus = self._corpus(loaded.tokenizer)
        rows = np.concatenate([corpus.passages, corpus.test.questions])
        return len(corpus.store.cut_among(rows))

    def _corpus(self, tokenizer: Tokenizer) -> QuestionCorpus:
        """The texts as `tokenizer` cuts them; tokenised once for each tokenizer and length."""
        key = tokenizer.key
        if key not in self._corpora:
            self._corpora[key] = self._tokenised(tokenizer)
        return self._corpora[key]

    def _tokenised(self, tokenizer: Tokenizer) -> QuestionCorpus:
        store = TokenStore(tokenizer)
        texts = self.data.passages
        if self.passages < len(texts):
            texts = texts.take(self._sample.rows)
        query, passage = store.prompts
        starts = range(0, len(texts), TEXTS_PER_CALL)
        passages = store.add_distinct(
            (texts.slice(i, TEXTS_PER_CALL).to_pylist() for i in starts), prompt=passage
        )
        questions = store.add((split.questions.to_pylist() for split in self._splits), prompt=query)
        lists = [
            split.answers.rows.list_at(i).tolist()
            for split in self._splits
            for i in range(len(split))
        ]
        gains = np.concatenate([split.answers.gains for split in self._splits])
        answers = self._sample.answers(Answers(Ragged.of(lists), gains))
        none = np.zeros(0, np.int64)
        nobody = QuestionRows(none, Answers.of([]), Ragged.of([]))
        judged = QuestionRows(questions, answers, Ragged.of([[] for _ in lists]))
        guard = PairRows(none, none, np.zeros(0, np.float32))
        ranked = np.arange(len(passages))
        return QuestionCorpus(
            store, nobody, nobody, judged, guard, none, passages, ranked, (none, none)
        )


def _judged_by_document(
    judge: QuestionJudge, answers: Answers, documents: npt.NDArray[np.int64]
) -> Judged:
    """The judgement of the embeddings in `judge`, with a document as good as its best passage.

    A document that holds several answers counts once, with the largest of their gains.
    """
    assert judge.questions is not None
    assert judge.passages is not None
    lists: list[dict[int, float]] = [{} for _ in range(len(answers))]
    places = documents[answers.rows.values].tolist()
    for owner, document, gain in zip(
        answers.rows.owners().tolist(), places, answers.gains.tolist(), strict=True
    ):
        lists[owner][document] = max(gain, lists[owner].get(document, 0.0))
    of_documents = Answers.of(
        [list(gains) for gains in lists], [list(gains.values()) for gains in lists]
    )
    ranks = best_passage_ranks(judge.questions, judge.passages, documents, of_documents)
    ranking = score_ranks(ranks, of_documents)
    details = ranking.mean()._asdict()
    score = details.pop("ndcg_at_10")
    return Judged(score, ranking.ndcg_at_10, details)


def gains_over_first(models: Sequence[JudgedModel]) -> list[Interval]:
    """Each model's mean nDCG@10 minus the first's, with a paired bootstrap over questions."""
    first = models[0].judged.values
    rest = [bootstrap_mean_gain(model.judged.values, first) for model in models[1:]]
    return [Interval(0.0, 0.0, 0.0), *rest]
