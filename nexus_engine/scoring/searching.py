"""A query against a file of sentences: the nearest by the base model and by the tuned one."""

from __future__ import annotations

from collections.abc import Sequence
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

__all__ = [
    "MAX_SENTENCES",
    "Found",
    "Match",
    "SearchIndex",
    "SentenceFile",
    "read_sentences",
    "search",
]

MAX_SENTENCES = 100_000
"""Sentences of a file that is searched: their embeddings take 154 MB a model."""
MAX_CHARACTERS = 100_000_000
LONGEST = 1_000_000
"""Characters of one sentence, as in files of pairs."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SentenceFile:
    """The distinct sentences of a text file, one a line, in its order. Without a telling repr."""

    label: str
    """The file's name for messages, printable."""
    sentences: Sequence[str]
    lines: Sequence[int]
    """The line of each sentence in the file, from 1: the first that holds it."""
    times: Sequence[int]
    """On how many lines each stands."""

    def __len__(self) -> int:
        return len(self.sentences)


def read_sentences(path: Path, check: Check = lambda: None) -> SentenceFile:
    """Read a text file, UTF-8 or UTF-16, gzip or not.

    Raises:
        DataError: it is missing, no regular file, empty, no text, or too large.
    """
    source = file_source(user_path(path, DataError))
    lines: dict[str, int] = {}
    times: list[int] = []
    places: dict[str, int] = {}
    characters = 0
    for number, line in enumerate(text_lines(source), start=1):
        sentence = line.strip()
        if not sentence:
            continue
        if sentence in lines:
            times[places[sentence]] += 1
            continue
        characters += len(sentence)
        if len(sentence) > LONGEST:
            raise row_error(source.label, number, "the sentence is longer than 1 MB; shorten it")
        if len(lines) == MAX_SENTENCES or characters > MAX_CHARACTERS:
            most = f"{MAX_SENTENCES:,} sentences and {MAX_CHARACTERS // 1_000_000} MB of text"
            raise file_error(
                source.label, f"is too large: {most} are searched at most; split the file"
            )
        places[sentence] = len(times)
        lines[sentence] = number
        times.append(1)
        if not number % 10_000:
            check()
    if not lines:
        raise file_error(source.label, "holds no sentence; give a text file, one sentence a line")
    return SentenceFile(source.label, list(lines), list(lines.values()), times)


class Match(NamedTuple):
    """One sentence among the nearest. Ranks count from 1; `tuned*` None without a tuned model.

    `line` is the first of the `times` lines on which it stands.
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
        """How many ranks training moved it up."""
        return None if self.tuned_rank is None else self.base_rank - self.tuned_rank


class Found(NamedTuple):
    """The nearest by each side, the best first; `by_tuned` is empty without a tuned model.

    `sentences` is how many distinct ones the file holds, `cut` how many of them are longer than
    the model reads; `query_cut` says so of the query.
    """

    by_base: list[Match]
    by_tuned: list[Match]
    sentences: int
    cut: int = 0
    query_cut: bool = False


class SearchIndex:
    """A file's sentences with their embeddings by each side, normalised float32 in memory."""

    def __init__(self, file: SentenceFile) -> None:
        self.file = file
        self.cut = 0
        """How many of the sentences are longer than the model reads, once they are embedded."""
        self._vectors: dict[int, tuple[Embedder, Tensor]] = {}

    def missing(self, models: ModelPair) -> int:
        """How many sentences are still to be embedded before `models` can be searched."""
        each = len(self.file)
        return each * sum(id(embedder) not in self._vectors for embedder in models.each())

    def embed(
        self, models: ModelPair, progress: Progress = lambda _: None, check: Check = lambda: None
    ) -> None:
        """Embed the file for those of `models` that have not seen it; forget all other models."""
        wanted = {id(embedder): embedder for embedder in models.each()}
        self._vectors = {key: held for key, held in self._vectors.items() if key in wanted}
        for key, embedder in wanted.items():
            if key not in self._vectors:
                found: list[int] = []
                vectors = embedder.embed(
                    self.file.sentences, progress, check, remember=False, cut=found.append
                )
                self.cut = max(self.cut, sum(found))
                self._vectors[key] = embedder, F.normalize(vectors, dim=1)

    def scores(self, embedder: Embedder, query: str, cut: Progress = lambda _: None) -> Tensor:
        """(n,) cosine of each sentence with the query, -1..1; `cut` is told whether it was cut."""
        _, vectors = self._vectors[id(embedder)]
        return vectors @ F.normalize(embedder.embed([query], cut=cut), dim=1)[0]


def search(
    models: ModelPair,
    index: SearchIndex,
    query: str,
    top: int,
    progress: Progress = lambda _: None,
    check: Check = lambda: None,
) -> Found:
    """The `top` nearest sentences by each side, embedding the file where that is still to be done.

    Sentences that are equally near stand in the order of the file.
    """
    index.embed(models, progress, check)
    query_cut: list[int] = []
    base = index.scores(models.base, query, query_cut.append)
    tuned = None if models.tuned is None else index.scores(models.tuned, query)
    base_order, base_ranks = _ranked(base)
    tuned_order, tuned_ranks = (None, None) if tuned is None else _ranked(tuned)

    def match(place: int) -> Match:
        return Match(
            line=index.file.lines[place],
            times=index.file.times[place],
            sentence=index.file.sentences[place],
            base=float(base[place]),
            base_rank=int(base_ranks[place]),
            tuned=None if tuned is None else float(tuned[place]),
            tuned_rank=None if tuned_ranks is None else int(tuned_ranks[place]),
        )

    return Found(
        [match(place) for place in base_order[:top].tolist()],
        [] if tuned_order is None else [match(place) for place in tuned_order[:top].tolist()],
        len(index.file),
        index.cut,
        any(query_cut),
    )


def _ranked(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Places by falling score, and the rank of each place, from 1."""
    order = torch.argsort(scores, descending=True, stable=True)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(1, len(order) + 1)
    return order, ranks
