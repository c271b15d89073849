"""Search in a file of sentences: those nearest to a query by the base and by the tuned model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nexus_engine.data.messages import file_error, row_error
from nexus_engine.data.reading.sources import file_source
from nexus_engine.data.reading.text_lines import text_lines
from nexus_engine.errors import DataError
from nexus_engine.scoring.querying import Check, Embedder, ModelPair, Progress
from nexus_engine.system.user_paths import user_path

__all__ = ["Match", "SearchIndex", "SearchResult", "read_sentences", "search"]

MAX_SENTENCES = 100_000
"""Distinct sentences in a file. Their embeddings take 154 MB per model."""
MAX_CHARACTERS = 100_000_000
"""Characters of all distinct sentences in a file."""
MAX_SENTENCE_CHARACTERS = 1_000_000
"""Characters of a sentence; the same as in files of pairs."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SentenceFile:
    """The distinct sentences of a text file, in its order. `repr` does not show them."""

    label: str
    """The file's name for messages, printable."""
    sentences: Sequence[str]
    lines: Sequence[int]
    """The number, from 1, of the first line with each sentence."""
    times: Sequence[int]
    """The number of lines with each sentence."""

    def __len__(self) -> int:
        return len(self.sentences)


def read_sentences(
    path: Path, check: Check = lambda: None, *, max_sentences: int = MAX_SENTENCES
) -> SentenceFile:
    """Read a text file with one sentence per line: UTF-8 or UTF-16, optionally gzipped.

    `check` is called every few thousand lines and may raise to stop.

    Raises:
        DataError: the file is missing, not a regular file, empty, not text, or too large.
    """
    source = file_source(user_path(path, DataError))
    lines: dict[str, int] = {}
    times: list[int] = []
    indices: dict[str, int] = {}
    characters = 0
    for number, line in enumerate(text_lines(source, only_utf=True), start=1):
        sentence = line.strip()
        if not sentence:
            continue
        if sentence in lines:
            times[indices[sentence]] += 1
            continue
        characters += len(sentence)
        if len(sentence) > MAX_SENTENCE_CHARACTERS:
            raise row_error(source.label, number, "the sentence is longer than 1 MB; shorten it")
        if len(lines) == max_sentences or characters > MAX_CHARACTERS:
            limit = f"{max_sentences:,} sentences and {MAX_CHARACTERS // 1_000_000} MB of text"
            raise file_error(source.label, f"is too large: the limit is {limit}; split the file")
        indices[sentence] = len(times)
        lines[sentence] = number
        times.append(1)
        if not number % 10_000:
            check()
    if not lines:
        raise file_error(
            source.label, "holds no sentence; give a text file with one sentence per line"
        )
    return SentenceFile(source.label, list(lines), list(lines.values()), times)


class Match(NamedTuple):
    """A sentence near the query, with its cosine similarity and rank, from 1, by each model.

    `line` is the first of the `times` lines with the sentence. `tuned` and `tuned_rank` are None
    without a tuned model.
    """

    line: int
    times: int
    sentence: str
    base: float
    base_rank: int
    tuned: float | None
    tuned_rank: int | None

    @property
    def rise(self) -> int | None:
        """The number of ranks that training moved the sentence up; None without a tuned model."""
        return None if self.tuned_rank is None else self.base_rank - self.tuned_rank


class SearchResult(NamedTuple):
    """The nearest sentences by each model, nearest first.

    `sentences` counts the distinct sentences of the file, `cut` those of them that are longer than
    the model reads. `query_cut` says whether the query is. Without a
    tuned model `by_tuned` is empty.
    """

    by_base: list[Match]
    by_tuned: list[Match]
    sentences: int
    cut: int = 0
    query_cut: bool = False


class SearchIndex:
    """The sentences of a file and their embeddings by each model, normalised float32, in memory."""

    def __init__(self, file: SentenceFile) -> None:
        self.file = file
        self.cut = 0
        """The number of sentences longer than the model reads; 0 until they are embedded."""
        self._vectors: dict[int, tuple[Embedder, Tensor]] = {}

    def missing(self, models: ModelPair) -> int:
        """The number of embeddings to compute before a search with `models`."""
        new = sum(id(embedder) not in self._vectors for embedder in models.each())
        return len(self.file) * new

    def embed(
        self, models: ModelPair, progress: Progress = lambda _: None, check: Check = lambda: None
    ) -> None:
        """Embed the sentences with those of `models` that are new; drop all other embeddings."""
        embedders = {id(embedder): embedder for embedder in models.each()}
        self._vectors = {key: entry for key, entry in self._vectors.items() if key in embedders}
        for key, embedder in embedders.items():
            if key not in self._vectors:
                cut: list[int] = []
                vectors = embedder.embed(
                    self.file.sentences, progress, check, remember=False, cut=cut.append
                )
                self.cut = max(self.cut, sum(cut))
                self._vectors[key] = embedder, F.normalize(vectors, dim=1)

    def scores(
        self, embedder: Embedder, query: str, cut: Callable[[int], None] = lambda _: None
    ) -> Tensor:
        """The cosine similarity of each sentence with the query, (n,), -1..1.

        `cut` receives 1 if the query is longer than the model reads, else 0; it is not
        called for a remembered query.
        """
        _, vectors = self._vectors[id(embedder)]
        return vectors @ F.normalize(embedder.embed([query], cut=cut), dim=1)[0]


def search(
    models: ModelPair,
    index: SearchIndex,
    query: str,
    top: int,
    progress: Progress = lambda _: None,
    check: Check = lambda: None,
) -> SearchResult:
    """The `top` sentences nearest to `query` by each model.

    Embeds the file first if `models` are new to `index`. Equally near sentences keep the order of
    the file.
    """
    index.embed(models, progress, check)
    query_cut: list[int] = []
    base = index.scores(models.base, query, query_cut.append)
    tuned = None if models.tuned is None else index.scores(models.tuned, query)
    base_order, base_ranks = _rank(base)
    tuned_order, tuned_ranks = (None, None) if tuned is None else _rank(tuned)

    def match(i: int) -> Match:
        return Match(
            line=index.file.lines[i],
            times=index.file.times[i],
            sentence=index.file.sentences[i],
            base=float(base[i]),
            base_rank=int(base_ranks[i]),
            tuned=None if tuned is None else float(tuned[i]),
            tuned_rank=None if tuned_ranks is None else int(tuned_ranks[i]),
        )

    return SearchResult(
        [match(i) for i in base_order[:top].tolist()],
        [] if tuned_order is None else [match(i) for i in tuned_order[:top].tolist()],
        len(index.file),
        index.cut,
        any(query_cut),
    )


def _rank(scores: Tensor) -> tuple[Tensor, Tensor]:
    """The indices (n,) by falling score, and the rank of each index (n,), from 1."""
    order = torch.argsort(scores, descending=True, stable=True)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(1, len(order) + 1)
    return order, ranks
