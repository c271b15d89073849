"""Judging a model on dev and test: Spearman on graded pairs, nDCG@10 on questions.

A run does not care which: it asks its judge for a score, for the values of single examples, and for
the interval of a gain.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nexus_engine.data.questions.answers import Answers, Ragged
from nexus_engine.scores import Metric
from nexus_engine.scoring.corpus import Corpus, PairRows, QuestionCorpus, QuestionRows
from nexus_engine.scoring.correlation import Interval, bootstrap_gain
from nexus_engine.scoring.cut_texts import indistinct
from nexus_engine.scoring.evaluation import Embed, Judged, correlate, embed_all, pair_cosines
from nexus_engine.scoring.ranking import bootstrap_mean_gain, ranks_of_answers, score_ranks
from nexus_engine.scoring.small_vectors import SmallVectors, judge_small_vectors

__all__ = ["Judge", "PairJudge", "Progress", "QuestionJudge", "Split", "judge_of", "run_through"]

Split = Literal["dev", "test"]
Progress = Generator[tuple[int, int], None, Judged]
"""Yields how many texts are embedded, and of how many, while it judges."""

PASSAGES_PER_PART = 256
"""Passages that are embedded between two reports of progress."""


class Judge(Protocol):
    """Judges models on the splits of one corpus."""

    metric: Metric
    passages: Tensor | None
    """(r, width) float32, embeddings of the ranked passages in the last judgement; None with pairs
    and before the first."""

    def judge(
        self,
        embed: Embed,
        split: Split,
        check: Callable[[], None],
        passages: Tensor | None = None,
    ) -> Progress:
        """Judge the model behind `embed`; `check` is called often and may raise to stop.

        `passages` (r, width) are its embeddings of the ranked passages, if they are known.
        """

    def gain(self, ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> Interval:
        """The gain on dev of one model over another, from the values of `Judged`, (n,) each."""


def run_through(progress: Progress) -> Judged:
    """The judgement, for callers that show no progress."""
    while True:
        try:
            next(progress)
        except StopIteration as end:
            judged: Judged = end.value
            return judged


class PairJudge:
    """Judges by Spearman's correlation of cosine similarity with the pairs' scores."""

    metric: Metric = "spearman"
    passages: Tensor | None = None

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    def judge(
        self,
        embed: Embed,
        split: Split,
        check: Callable[[], None],
        passages: Tensor | None = None,
    ) -> Progress:
        """Spearman and, as a detail, Pearson; test may be undefined (see `indistinct`)."""
        del passages  # pairs have none
        yield from ()
        pairs: PairRows = getattr(self._corpus, split)
        cosines = pair_cosines(embed, self._corpus.store, pairs, check)
        undefined = split == "test" and bool(indistinct(self._corpus.store, pairs))
        result = correlate(cosines, pairs.scores, undefined=undefined)
        return Judged(result.spearman, cosines, {"pearson": result.pearson})

    def gain(self, ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> Interval:
        """The gain in dev Spearman, with its bootstrap interval over pairs."""
        return bootstrap_gain(ours, theirs, self._corpus.dev.scores)


class QuestionJudge:
    """Judges by the mean nDCG@10 of questions, each ranked against the corpus, exactly.

    `passages` (r, width) float32 and `questions` (q, width) are the embeddings of the last
    judgement; None before the first.
    """

    metric: Metric = "ndcg_at_10"

    def __init__(self, corpus: QuestionCorpus) -> None:
        self._corpus = corpus
        self.passages: Tensor | None = None
        self.questions: Tensor | None = None

    def answers(self, split: Split) -> Answers:
        """The known answers of a split's questions, as places among the ranked passages."""
        rows: QuestionRows = getattr(self._corpus, split)
        answers, ranked = rows.answers, self._corpus.ranked
        if len(ranked) == len(self._corpus.passages):
            return answers
        places = np.searchsorted(ranked, answers.rows.values)
        return Answers(Ragged(answers.rows.offsets, places), answers.gains)

    def judge(
        self,
        embed: Embed,
        split: Split,
        check: Callable[[], None],
        passages: Tensor | None = None,
    ) -> Progress:
        """nDCG@10 and, as details, MRR@10 and recall."""
        split_rows: QuestionRows = getattr(self._corpus, split)
        if passages is None:
            passages = yield from self._embedded_passages(embed, len(split_rows), check)
        questions = embed_all(embed, self._corpus.store, split_rows.questions, check)
        yield (total := len(passages) + len(split_rows)), total
        answers = self.answers(split)
        ranking = score_ranks(ranks_of_answers(questions, passages, answers, check), answers)
        self.passages, self.questions = passages, questions
        means = ranking.mean()
        details = {name: value for name, value in means._asdict().items() if name != self.metric}
        return Judged(means.ndcg_at_10, ranking.ndcg_at_10, details)

    def _embedded_passages(
        self, embed: Embed, questions: int, check: Callable[[], None]
    ) -> Generator[tuple[int, int], None, Tensor]:
        """The embeddings of the ranked passages, (r, width); yields as `judge` does."""
        store = self._corpus.store
        rows = self._corpus.passages[self._corpus.ranked]
        order = np.argsort(store.lengths_of(rows), kind="stable")
        passages: Tensor | None = None
        for start in range(0, len(rows), PASSAGES_PER_PART):
            part = order[start : start + PASSAGES_PER_PART]
            vectors = embed_all(embed, store, rows[part], check)
            if passages is None:
                passages = torch.empty(len(rows), vectors.shape[1])
            passages[torch.from_numpy(part)] = vectors
            yield start + len(part), len(rows) + questions
        assert passages is not None
        return passages

    def sizes(
        self, split: Split, dims: tuple[int, ...], check: Callable[[], None]
    ) -> list[SmallVectors]:
        """How the vectors of the last judgement, on `split`, do in smaller sizes and formats."""
        assert self.questions is not None
        assert self.passages is not None
        width = self.passages.shape[1]
        return judge_small_vectors(
            self.questions, self.passages, self.answers(split), sorted({width, *dims})[::-1], check
        )

    def gain(self, ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> Interval:
        """The gain in mean nDCG@10, with its bootstrap interval over questions."""
        return bootstrap_mean_gain(ours, theirs)


def judge_of(corpus: Corpus | QuestionCorpus) -> PairJudge | QuestionJudge:
    """The judge for a corpus."""
    return PairJudge(corpus) if isinstance(corpus, Corpus) else QuestionJudge(corpus)
