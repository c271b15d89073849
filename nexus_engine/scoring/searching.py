"""Search in a corpus: the texts nearest to a query by the base and by the tuned model."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nexus_engine.scoring.querying import Check, Embedder, ModelPair, Progress
from nexus_engine.scoring.search_texts import SearchTexts

__all__ = ["Match", "SearchIndex", "SearchResult", "search"]


class Match(NamedTuple):
    """A text near the query, with its cosine similarity and rank, from 1, by each model.

    `line` is the first of the `times` lines or passages with the text. `tuned` and `tuned_rank` are
    None without a tuned model, `base` and `base_rank` in an index without vectors by the base
    model. `source` is the document that a passage was cut from and `heading` the headings above
    it, "" without any. `is_answer` says whether it is known to answer the query.

    In a search by document, similarities and ranks are the document's, and the text is its best
    passage by the model whose list the match stands in.
    """

    line: int
    times: int
    sentence: str
    base: float | None
    base_rank: int | None
    tuned: float | None
    tuned_rank: int | None
    source: str = ""
    heading: str = ""
    is_answer: bool = False

    @property
    def rise(self) -> int | None:
        """The number of ranks that training moved the text up; None with one model alone."""
        if self.tuned_rank is None or self.base_rank is None:
            return None
        return self.base_rank - self.tuned_rank

    @property
    def rank(self) -> int:
        """The rank by the tuned model where there is one, else by the base model."""
        rank = self.base_rank if self.tuned_rank is None else self.tuned_rank
        assert rank is not None
        return rank


class SearchResult(NamedTuple):
    """The nearest texts by each model, nearest first.

    `sentences` counts the distinct texts of the corpus, `cut` those of them that are longer than
    the `max_tokens` that the model reads. `query_cut` says whether the query is. Without a tuned
    model `by_tuned` is empty, and `by_base` in an index without vectors by the base model. If the
    query is a question of the corpus, `question` is its place there, and `answers` are its known
    answers by rank, wherever they rank.
    """

    by_base: list[Match]
    by_tuned: list[Match]
    sentences: int
    cut: int = 0
    query_cut: bool = False
    max_tokens: int = 256
    question: int | None = None
    answers: tuple[Match, ...] = ()


class SearchIndex:
    """The texts of a corpus and their embeddings by each model, normalised float32, in memory."""

    def __init__(self, file: SearchTexts) -> None:
        self.file = file
        self.cut = 0
        """The number of texts longer than the model reads; 0 until they are embedded."""
        self._vectors: dict[int, tuple[Embedder, Tensor]] = {}

    def missing(self, models: ModelPair) -> int:
        """The number of embeddings to compute before a search with `models`."""
        new = sum(id(embedder) not in self._vectors for embedder in models.each())
        return len(self.file) * new

    def embed(
        self, models: ModelPair, progress: Progress = lambda _: None, check: Check = lambda: None
    ) -> None:
        """Embed the texts with those of `models` that are new; drop all other embeddings."""
        embedders = {id(embedder): embedder for embedder in models.each()}
        self._vectors = {key: entry for key, entry in self._vectors.items() if key in embedders}
        cut: list[int] = []
        for key, embedder in embedders.items():
            if key not in self._vectors:
                vectors = embedder.embed(
                    self.file.sentences,
                    progress,
                    check,
                    remember=False,
                    cut=cut.append,
                    role="passage",
                )
                self._vectors[key] = embedder, F.normalize(vectors, dim=1)
        self.cut = max(cut, default=self.cut)

    def scores(
        self, embedder: Embedder, query: str, cut: Callable[[int], None] = lambda _: None
    ) -> Tensor:
        """The cosine similarity of each text with the query, (n,), -1..1.

        `cut` receives 1 if the query is longer than the model reads, else 0; it is not
        called for a remembered query.
        """
        _, vectors = self._vectors[id(embedder)]
        return vectors @ F.normalize(embedder.embed([query], cut=cut), dim=1)[0]


class _Ranked(NamedTuple):
    """What one model finds, (m,) each: texts, or documents with their best text in `texts`."""

    scores: Tensor
    order: Tensor
    ranks: Tensor
    texts: Tensor


def search(
    models: ModelPair,
    index: SearchIndex,
    query: str,
    top: int,
    progress: Progress = lambda _: None,
    check: Check = lambda: None,
    *,
    by_document: bool = False,
) -> SearchResult:
    """The `top` texts nearest to `query` by each model, or the documents with the nearest passages.

    Embeds the corpus first if `models` are new to `index`. Equally near texts keep the order of
    the corpus. `by_document` needs a corpus with documents.
    """
    index.embed(models, progress, check)
    file = index.file
    numbers = None
    if by_document:
        assert file.documents is not None
        numbers = torch.from_numpy(file.documents.numbers)
    query_cut: list[int] = []
    base = _ranked(index.scores(models.base, query, query_cut.append), numbers)
    tuned = None if models.tuned is None else _ranked(index.scores(models.tuned, query), numbers)
    question = None if file.questions is None else file.questions.place_of(query)
    answers: list[int] = []
    if question is not None and file.questions is not None:
        rows = torch.from_numpy(file.questions.answers.rows.list_at(question))
        answers = list(dict.fromkeys((rows if numbers is None else numbers[rows]).tolist()))

    def match(i: int, by: _Ranked) -> Match:
        text = int(by.texts[i])
        documents = file.documents
        return Match(
            line=file.lines[text],
            times=file.times[text],
            sentence=file.sentences[text],
            base=float(base.scores[i]),
            base_rank=int(base.ranks[i]),
            tuned=None if tuned is None else float(tuned.scores[i]),
            tuned_rank=None if tuned is None else int(tuned.ranks[i]),
            source="" if documents is None else documents.names[int(documents.numbers[text])],
            heading="" if documents is None else documents.headings[text],
            is_answer=i in answers,
        )

    return SearchResult(
        [match(i, base) for i in base.order[:top].tolist()],
        [] if tuned is None else [match(i, tuned) for i in tuned.order[:top].tolist()],
        len(file),
        index.cut,
        any(query_cut),
        models.base.max_tokens,
        question,
        tuple(sorted((match(i, tuned or base) for i in answers), key=lambda known: known.rank)),
    )


def _ranked(scores: Tensor, documents: Tensor | None) -> _Ranked:
    """Texts by falling score (n,), or the documents that they are cut from, by their best text."""
    texts = torch.arange(len(scores))
    if documents is not None:
        by_score = torch.argsort(scores, descending=True, stable=True)
        grouped = by_score[torch.argsort(documents[by_score], stable=True)]
        sizes = torch.bincount(documents)
        texts = grouped[torch.cumsum(sizes, 0) - sizes]  # the first of each document
        scores = scores[texts]
    order = torch.argsort(scores, descending=True, stable=True)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(1, len(order) + 1)
    return _Ranked(scores, order, ranks, texts)
