"""Which question to ask about next, with the passages that the model finds for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nexus_engine.labels.verdicts import search_key
from nexus_engine.scoring.querying import Embedder
from nexus_engine.scoring.search_texts import SearchTexts
from nexus_engine.teaching.embedded_texts import EmbeddedTexts
from nexus_engine.teaching.growing_search import GrowingSearch
from nexus_engine.teaching.sampling_rules import QUESTION_RULE, RULES, Pool

__all__ = ["SHOWN", "QuestionQueue", "SearchCandidate", "ShownPassage"]

Indices = npt.NDArray[np.int64]
Check = Callable[[], None]

SHOWN = 10
"""Passages shown for a question."""
FIRST_QUESTIONS = 32
QUESTIONS_PER_STEP = 32
MAX_CONSIDERED = 2000
"""Questions among which the rule chooses, drawn at random."""
CHOSEN_AT_ONCE = 8
"""Questions that the rule chooses at a time."""
CLOSE = 0.02
"""Cosines of two passages that are as good as equal."""
FAR = 0.4
"""A cosine below which the model has found nothing that looks like an answer."""
SOFTMAX_SCALE = 20.0
"""Of cosines, as the ranking loss scales them: how sure the model is of its first passage."""


class ShownPassage(NamedTuple):
    """A passage, its place in the corpus, the document and headings, "" without, and its cosine.

    `known` is the standing verdict on it for this question; None without one.
    """

    text: str
    place: int
    document: str
    heading: str
    score: float
    known: bool | None = None

    def __repr__(self) -> str:
        return f"ShownPassage(place={self.place}, score={self.score:.3f}, known={self.known})"


class SearchCandidate(NamedTuple):
    """A question and the passages that the model finds nearest to it, nearest first."""

    question: str
    passages: tuple[ShownPassage, ...]
    reason: str

    def __repr__(self) -> str:
        return f"SearchCandidate(passages={len(self.passages)}, reason={self.reason!r})"


class QuestionQueue:
    """Questions with their nearest passages, the most useful first.

    A question comes again only if the model finds another first passage for it than the one that
    was judged. While not all passages are embedded, those that share words with the question are
    embedded for it first. Threads as for `PairQueue`.

    Args:
        questions: Distinct questions, such as a file's, or those of `heading_questions`.
        corpus: The texts in which answers are looked for.
        model: The model that is taught: the tuned one, or the base model.
        base: The base model; may be the same object.
        judged: The keys of what was judged before (`search_key`).
        seed: Of the order.
        known: What was said of a question with a passage, by `search_key`.
        rule: Name of a sampling rule, of `RULES`.
    """

    def __init__(
        self,
        questions: Sequence[str],
        corpus: SearchTexts,
        model: Embedder,
        base: Embedder,
        judged: set[str],
        seed: int = 0,
        *,
        known: Mapping[str, bool] | None = None,
        rule: str = QUESTION_RULE,
    ) -> None:
        self._random = np.random.default_rng(seed)
        self._corpus = corpus
        self._model, self._base = model, base
        self._search = GrowingSearch(corpus.sentences, model, base, self._random)
        self._questions = EmbeddedTexts(questions, model, base)
        self._order = self._random.permutation(len(questions))[:MAX_CONSIDERED]
        self._considered = 0
        self._is_asked = np.zeros(len(questions), bool)
        self._judged = set(judged)
        self._known = dict(known or {})
        self._rule = RULES[rule]
        self._chosen: deque[int] = deque()

    @property
    def is_complete(self) -> bool:
        """Whether all passages are embedded and all questions considered."""
        return self._search.is_complete and self._considered == len(self._order)

    def advance(self, check: Check = lambda: None) -> bool:
        """Embed some more passages and questions; False once all are. `check` may raise to stop."""
        if self.is_complete:
            return False
        if not self._search.is_complete:
            self._search.advance(check)
        self._consider(QUESTIONS_PER_STEP, check)
        return not self.is_complete

    def next(self, check: Check = lambda: None) -> SearchCandidate | None:
        """The next question to ask about; None when nothing is left."""
        while True:
            if not self._chosen and not self._choose(check):
                return None
            place = self._chosen.popleft()
            self._is_asked[place] = True
            candidate = self.ask(self._questions.texts[place], check)
            if not candidate.passages:
                return None
            first = candidate.passages[0].text
            if search_key(candidate.question, first) not in self._judged:
                return candidate

    def ask(self, question: str, check: Check = lambda: None) -> SearchCandidate:
        """Any question, such as one that the user types, with its nearest passages."""
        if not len(self._search.embedded):
            self._search.advance(check)
        self._search.embed_sharing(question, check)
        asked = EmbeddedTexts([question], self._model, self._base)
        asked.add(np.zeros(1, np.int64), check)
        places, cosines = self._search.nearest(asked.vectors(np.zeros(1, np.int64)), SHOWN)
        passages = tuple(
            self._shown(question, place, score)
            for place, score in zip(places[0].tolist(), cosines[0].tolist(), strict=True)
        )
        return SearchCandidate(question, passages, _reason(cosines[0]))

    def judged(self, key: str, relevant: bool | None = None) -> None:
        """Take in a verdict on what has this key (`search_key`); None says neither yes nor no."""
        self._judged.add(key)
        if relevant is None:
            self._known.pop(key, None)
        else:
            self._known[key] = relevant

    def _shown(self, question: str, place: int, score: float) -> ShownPassage:
        corpus = self._corpus
        text = corpus.sentences[place]
        documents = corpus.documents
        return ShownPassage(
            text,
            place,
            "" if documents is None else documents.names[int(documents.numbers[place])],
            "" if documents is None else documents.headings[place],
            score,
            self._known.get(search_key(question, text)),
        )

    def _consider(self, count: int, check: Check) -> None:
        end = min(self._considered + count, len(self._order))
        self._questions.add(self._order[self._considered : end], check)
        self._considered = end

    def _choose(self, check: Check) -> bool:
        """Let the rule choose among the questions that are embedded; False if none is left."""
        considered = self._order[: self._considered]
        while self._is_asked[considered].all():
            if self._considered == len(self._order):
                return False
            self._consider(FIRST_QUESTIONS, check)
            considered = self._order[: self._considered]
        if not len(self._search.embedded):
            self._search.advance(check)
        points = self._questions.vectors(considered)
        nearest, cosines = self._search.nearest(points, SHOWN)
        if not nearest.shape[1]:
            return False
        pool = Pool(
            points,
            cosines[:, 0],
            _doubt(cosines),
            self._difference(considered, nearest),
            np.flatnonzero(self._is_asked[considered]),
        )
        places = self._rule(pool, CHOSEN_AT_ONCE, self._random)
        self._chosen.extend(considered[places].tolist())
        return bool(len(places))

    def _difference(self, considered: Indices, nearest: Indices) -> npt.NDArray[np.float64]:
        """How many of the passages found by the model the base model does not find."""
        if not self._questions.is_tuned:
            return np.zeros(len(considered))
        points = self._questions.vectors(considered, base=True)
        base, _ = self._search.nearest(points, SHOWN, base=True)
        both = [len(np.intersect1d(a, b)) for a, b in zip(nearest, base, strict=True)]
        return np.asarray([nearest.shape[1] - count for count in both], np.float64)


def _doubt(cosines: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The entropy of what the model makes of the passages shown, (q, t) to (q,)."""
    likely = np.exp(SOFTMAX_SCALE * (cosines - cosines[:, :1]).astype(np.float64))
    likely /= likely.sum(1, keepdims=True)
    entropy: npt.NDArray[np.float64] = -(likely * np.log(np.maximum(likely, 1e-12))).sum(1)
    return entropy


def _reason(cosines: npt.NDArray[np.float32]) -> str:
    if len(cosines) > 1 and cosines[0] - cosines[1] < CLOSE:
        return "the first passages are close"
    return "the model sees nothing near" if cosines[0] < FAR else "one of all questions"
