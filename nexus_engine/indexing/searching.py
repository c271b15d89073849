"""Search in an index: by vectors, by words, or by both with reciprocal rank fusion.

Vectors are compared exactly. BM25 ranks the passages that hold the query's rarer words; of those,
the ones with the largest sum of idf, and the nearest by vector, get their exact BM25.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from nexus_engine.errors import DataError, one_line
from nexus_engine.indexing.filters import EVERYWHERE, Filter
from nexus_engine.indexing.index_card import JOB_FILE, TEXTS_FILE, IndexCard
from nexus_engine.indexing.index_model import read_index
from nexus_engine.indexing.question_store import QuestionStore
from nexus_engine.indexing.tables import damaged
from nexus_engine.indexing.text_store import Passage, TextStore
from nexus_engine.indexing.vector_file import Codec, VectorFile, nearest_rows
from nexus_engine.indexing.words import bm25, distinct_words, idf, words_of
from nexus_engine.scoring.search_texts import KnownQuestions

__all__ = ["Hit", "OpenIndex", "Placed", "Ranking", "fuse"]

DEPTH = 100
"""Ranks of each of the two lists that are fused."""
MAX_READ = 40_000
"""Ids that are read from the index of words for a query: 8 ms."""
CANDIDATES = 100
"""Passages whose text is read for BM25, besides the nearest by vector."""
NEAREST_READ = 50
"""Passages nearest by vector whose text is read for BM25."""
RANK_OFFSET = 60
"""Of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009)."""
WORD_WEIGHT = 0.2
"""Of the list by words, where that by vectors has 1. On 300 dev questions of MedQuAD with the base
model: nDCG@10 +0.019 at 48 int8 numbers and +0.005 at 384 floats; with 1 it is +0.024 and -0.034.
"""
TEXTS_AT_ONCE = 10_000
OPENING_TRIES = 3
"""A refresh may replace the vectors between the card and them; then both are read again."""
Ids = npt.NDArray[np.int64]


class Hit(NamedTuple):
    """A passage near the query. `cosine` is -1..1; for dtype binary an approximation.

    `vector_rank` and `word_rank` count from 1; None beyond the list, or without a word in common.
    """

    id: int
    text: str
    folder: str
    file: str
    start: int
    heading: str
    cosine: float
    vector_rank: int | None
    word_rank: int | None


class Ranking(NamedTuple):
    """What a query finds: ids, best first, and what ranked them."""

    order: Ids
    """(k,) of the passages in either list, fused."""
    scores: Tensor
    """(n,) the similarity of each passage; -inf for those that may not be found. The tensor is used
    again by the next search of the same vectors."""
    nearest: Ids
    by_word: Ids


class Placed(NamedTuple):
    """A passage, its file, and its number there, from 1."""

    passage: Passage
    folder: str
    file: str
    number: int


class _Word(NamedTuple):
    word: str
    passages: int


class OpenIndex:
    """The index in a folder, open for searches by any thread. Close it, or use it as a context.

    Raises:
        DataError: there is no index, or it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for tries_left in reversed(range(OPENING_TRIES)):
            growing = os.path.lexists(folder / JOB_FILE)  # before the card: an addition may end
            self.card: IndexCard = read_index(folder)
            base = self.card.base
            try:
                self._vectors = self._file_of(self.card.vectors, self.card.scale, growing)
                self._base: VectorFile | None = None
                if base is not None:
                    self._base = self._file_of(base.vectors, base.scale, growing)
            except DataError:
                if not tries_left:
                    raise
            else:
                break
        self._store = TextStore(folder / TEXTS_FILE)
        try:
            self._store.check(self.card)
            self._live = self._live_passages()
        except BaseException:
            self._store.close()
            raise
        self._allowed: dict[Filter, npt.NDArray[np.bool_] | None] = {}
        self._lock = threading.Lock()

    def _file_of(self, vectors: str, scale: float | None, is_growing: bool) -> VectorFile:
        codec = Codec(self.card.dims, self.card.dtype, scale)
        path = self.folder / vectors
        return VectorFile(path, codec, self.card.passages, is_growing=is_growing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            self._store.close()

    def __len__(self) -> int:
        """The number of passages, without replaced ones."""
        return self.card.passages if self._live is None else int(self._live.sum())

    def texts(self) -> Iterator[str]:
        """The texts of all passages, without replaced ones, in order."""
        for start in range(0, self.card.passages, TEXTS_AT_ONCE):
            stop = min(start + TEXTS_AT_ONCE, self.card.passages)
            with self._lock:
                texts = self._store.texts(start, stop)
            for id_, text in enumerate(texts, start=start):
                if self._live is None or self._live[id_]:
                    yield text

    def questions(self) -> KnownQuestions | None:
        """The known questions with ids of passages as answers; None without any."""
        with self._lock:
            known = QuestionStore(self._store)
            return known.known(self.card.generation, self.card.passages, self._live)

    def search(
        self,
        vector: Tensor,
        query: str,
        top: int,
        *,
        hybrid: bool | None = None,
        within: Filter = EVERYWHERE,
    ) -> list[Hit]:
        """The `top` passages nearest to `query`, nearest first; equal texts count as one.

        Args:
            vector: The query's embedding (384,) by the model of the index.
            query: Its text; any text will do.
            top: 1 or more.
            hybrid: Whether words count beside vectors; None: as the index says.
            within: The documents that may be found.

        Raises:
            DataError: the index is damaged, or no file is within the filter.
        """
        with self._lock, torch.inference_mode():
            ranking = self._ranking(self._vectors, vector, query, top, hybrid, within)
            return self._hits(ranking, top)

    @contextlib.contextmanager
    def ranked(
        self,
        vector: Tensor,
        query: str,
        top: int,
        *,
        by_base: bool = False,
        within: Filter = EVERYWHERE,
    ) -> Iterator[Ranking]:
        """The ranking that `search` takes its hits from, valid inside the context.

        With `by_base`, by the base model's vectors: the index must have them, and `vector` is by
        that model.
        """
        vectors = self._base if by_base else self._vectors
        assert vectors is not None
        with self._lock, torch.inference_mode():
            yield self._ranking(vectors, vector, query, top, None, within)

    def placed(self, ids: Ids) -> dict[int, Placed]:
        """The passages of `ids` (k,) with their files."""
        with self._lock:
            return self._placed(ids)

    def _ranking(
        self,
        vectors: VectorFile,
        vector: Tensor,
        query: str,
        top: int,
        hybrid: bool | None,
        within: Filter,
    ) -> Ranking:
        allowed = self._allowed_by(within)
        scores = vectors.scores(F.normalize(vector[: self.card.dims].float(), dim=0))
        if not torch.isfinite(scores.sum()):
            raise damaged(self.folder, "a vector is not finite")
        if allowed is not None:
            scores.masked_fill_(~torch.from_numpy(allowed), float("-inf"))
        depth = max(DEPTH, 2 * top)
        nearest = nearest_rows(scores, depth)
        by_word = np.zeros(0, np.int64)
        if self.card.hybrid if hybrid is None else hybrid:
            by_word = self._by_words(query, scores.numpy(), nearest, depth)
        order = fuse(nearest, by_word) if len(by_word) else nearest
        return Ranking(order, scores, nearest, by_word)

    def _placed(self, ids: Ids) -> dict[int, Placed]:
        found: dict[int, Placed] = {}
        for id_, passage in self._store.passages(ids).items():
            document = self._store.document_of(id_)
            if document is not None:
                number = id_ - document.first + 1
                found[id_] = Placed(passage, document.folder, document.name, number)
        return found

    def _hits(self, ranking: Ranking, top: int) -> list[Hit]:
        vector_ranks = {int(id_): rank for rank, id_ in enumerate(ranking.nearest, start=1)}
        word_ranks = {int(id_): rank for rank, id_ in enumerate(ranking.by_word, start=1)}
        hits: list[Hit] = []
        texts: set[str] = set()
        step = 2 * top
        for start in range(0, len(ranking.order), step):
            ids = ranking.order[start : start + step]
            placed = self._placed(ids)
            for id_ in ids.tolist():
                found = placed.get(id_)
                if found is None or found.passage.text in texts:
                    continue
                passage = found.passage
                texts.add(passage.text)
                hits.append(
                    Hit(
                        id=id_,
                        text=passage.text,
                        folder=found.folder,
                        file=found.file,
                        start=found.number if passage.start is None else passage.start,
                        heading=passage.heading,
                        cosine=float(ranking.scores[id_]),
                        vector_rank=vector_ranks.get(id_),
                        word_rank=word_ranks.get(id_),
                    )
                )
                if len(hits) == top:
                    return hits
        return hits

    # Words

    def _by_words(
        self, query: str, scores: npt.NDArray[np.float32], nearest: Ids, depth: int
    ) -> Ids:
        """Passages by falling BM25, at most `depth`; `scores` (n,) breaks ties of candidates."""
        words, ids, sums = self._candidates(distinct_words(query))
        if not words:
            return np.zeros(0, np.int64)
        usable = (ids >= 0) & (ids < len(scores))
        ids, sums = ids[usable], sums[usable]
        usable = np.isfinite(scores[ids])  # those outside the filter are -inf
        ids, sums = ids[usable], sums[usable]
        best = ids[np.lexsort((ids, -scores[ids], -sums))[:CANDIDATES]]
        chosen = np.unique(np.concatenate([best, nearest[:NEAREST_READ]]))
        n = len(self)
        weights = {each.word: idf(n, each.passages) for each in words}
        mean_length = self.card.words / max(1, self.card.passages)
        passages = self._store.passages(chosen)
        ranked = [
            (-bm25(words_of(passage.text), weights, mean_length), id_)
            for id_, passage in passages.items()
        ]
        ranked = sorted(pair for pair in ranked if pair[0] < 0)
        return np.asarray([id_ for _, id_ in ranked[:depth]], np.int64)

    def _candidates(self, query: Sequence[str]) -> tuple[list[_Word], Ids, npt.NDArray[np.float64]]:
        """The query's words that passages hold, and ids (m,) with the sum of their words' idf.

        At most about `MAX_READ` ids are read: those of rare words first. Where every word is too
        frequent for that, passages that hold all of them are candidates.
        """
        counts = self._store.frequent(query)
        lists: list[tuple[float, Ids]] = []
        words: list[_Word] = []
        n, read = len(self), 0
        for word in query:
            if word not in counts:
                ids = self._store.passages_with([word], MAX_READ)
                if len(ids):
                    read += len(ids)
                    words.append(_Word(word, len(ids)))
                    lists.append((idf(n, len(ids)), ids))
        frequent = sorted((_Word(*pair) for pair in counts.items()), key=lambda each: each.passages)
        for place, each in enumerate(frequent):
            weight = idf(n, each.passages)
            if read + each.passages <= MAX_READ:
                ids = self._store.passages_with([each.word], MAX_READ)
                read += len(ids)
                lists.append((weight, ids))
            elif not lists:
                together = [other.word for other in frequent[place:]]
                ids = self._store.passages_with(together, MAX_READ)
                if not len(ids):
                    ids = self._store.passages_with(together[:1], MAX_READ)
                lists.append((weight, ids))
        words += frequent
        if not lists:
            return words, np.zeros(0, np.int64), np.zeros(0)
        ids, places = np.unique(np.concatenate([ids for _, ids in lists]), return_inverse=True)
        weights = np.concatenate([np.full(len(ids_), weight) for weight, ids_ in lists])
        return words, ids, np.bincount(places, weights, len(ids)).astype(np.float64)

    # Filters

    def _live_passages(self) -> npt.NDArray[np.bool_] | None:
        """Which passages are up to date, (n,); None if all are."""
        ranges = self._store.replaced(self.card.generation)
        if not ranges:
            return None
        live = np.ones(self.card.passages, np.bool_)
        for first, passages in ranges:
            live[first : first + passages] = False
        return live

    def _allowed_by(self, within: Filter) -> npt.NDArray[np.bool_] | None:
        """Which passages may be hits, (n,); None if all may."""
        if within not in self._allowed:
            self._allowed[within] = self._live if within == EVERYWHERE else self._mask(within)
        return self._allowed[within]

    def _mask(self, within: Filter) -> npt.NDArray[np.bool_]:
        mask = np.zeros(self.card.passages, np.bool_)
        for document in self._store.documents(self.card.generation):
            if within.fits(document):
                mask[document.first : document.first + document.passages] = True
        if self._live is not None:
            mask &= self._live
        if not mask.any():
            raise DataError(
                f"{one_line(self.folder)}: no file of the index fits; see its files with nexus "
                "index status INDEX --files"
            )
        return mask


def fuse(by_vector: Ids, by_word: Ids, word_weight: float = WORD_WEIGHT) -> Ids:
    """The ids of both lists by weighted reciprocal rank fusion, best first.

    An id's sum is Σ weight / (60 + rank) over the lists that hold it. Equal sums keep the order of
    `by_vector`.
    """
    sums: dict[int, float] = {}
    for ids, weight in ((by_vector, 1.0), (by_word, word_weight)):
        for rank, id_ in enumerate(ids.tolist(), start=1):
            sums[id_] = sums.get(id_, 0.0) + weight / (RANK_OFFSET + rank)
    return np.asarray(sorted(sums, key=lambda id_: -sums[id_]), np.int64)
