"""Search in an index: by vectors, by words, or by both with reciprocal rank fusion.

Vectors are compared exactly. BM25 ranks the passages that hold the query's rarer words; of those,
the ones with the largest sum of idf, and the nearest by vector, get their exact BM25.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from nexus_engine.errors import DataError, one_line
from nexus_engine.indexing.index_card import TEXTS_FILE, IndexCard, read_card
from nexus_engine.indexing.text_store import Document, TextStore
from nexus_engine.indexing.vector_file import Codec, VectorFile, nearest_rows
from nexus_engine.indexing.words import bm25, distinct_words, idf, words_of

__all__ = ["HYBRID", "Hit", "OpenIndex", "fuse"]

HYBRID = True
"""Whether words count beside vectors unless a search says so."""
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
            self.card: IndexCard = read_card(folder)
            codec = Codec(self.card.dims, self.card.dtype, self.card.scale)
            try:
                path = folder / self.card.vectors
                self._vectors = VectorFile(path, codec, self.card.passages)
            except DataError:
                if not tries_left or read_card(folder) == self.card:
                    raise
            else:
                break
        self._store = TextStore(folder / TEXTS_FILE)
        try:
            if self._store.next_id() < self.card.passages:
                raise DataError(
                    f"{one_line(folder / TEXTS_FILE)}: damaged (passages are missing); build the "
                    "index again"
                )
            self._live = self._live_passages()
        except BaseException:
            self._store.close()
            raise
        self._allowed: dict[tuple[str | None, str | None], npt.NDArray[np.bool_] | None] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
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

    def search(
        self,
        vector: Tensor,
        query: str,
        top: int,
        *,
        hybrid: bool = True,
        file: str | None = None,
        folder: str | None = None,
    ) -> list[Hit]:
        """The `top` passages nearest to `query`, nearest first; equal texts count as one.

        Args:
            vector: The query's embedding (384,) by the model of the index.
            query: Its text; any text will do.
            top: 1 or more.
            hybrid: Whether words count beside vectors.
            file: A pattern of `fnmatch` for the file's name, or with a slash for its path.
            folder: A folder in which the file lies, or the corpus' own folder.

        Raises:
            DataError: the index is damaged, or no file fits `file` and `folder`.
        """
        with self._lock, torch.inference_mode():
            allowed = self._allowed_by(file, folder)
            scores = self._vectors.scores(F.normalize(vector[: self.card.dims].float(), dim=0))
            if allowed is not None:
                scores.masked_fill_(~torch.from_numpy(allowed), float("-inf"))
            depth = max(DEPTH, 2 * top)
            nearest = nearest_rows(scores, depth)
            by_word = np.zeros(0, np.int64)
            if hybrid:
                by_word = self._by_words(query, scores.numpy(), nearest, depth)
            order = fuse(nearest, by_word) if len(by_word) else nearest
            return self._hits(order, scores, nearest, by_word, top)

    def _hits(self, order: Ids, scores: Tensor, nearest: Ids, by_word: Ids, top: int) -> list[Hit]:
        vector_ranks = {int(id_): rank for rank, id_ in enumerate(nearest, start=1)}
        word_ranks = {int(id_): rank for rank, id_ in enumerate(by_word, start=1)}
        hits: list[Hit] = []
        texts: set[str] = set()
        step = 2 * top
        for start in range(0, len(order), step):
            ids = order[start : start + step]
            passages = self._store.passages(ids)
            for id_ in ids.tolist():
                passage = passages.get(id_)
                if passage is None or passage.text in texts:
                    continue
                texts.add(passage.text)
                document = self._store.document_of(id_)
                if document is None:
                    continue
                number = id_ - document.first + 1
                hits.append(
                    Hit(
                        id=id_,
                        text=passage.text,
                        folder=document.folder,
                        file=document.name,
                        start=number if passage.start is None else passage.start,
                        heading=passage.heading,
                        cosine=float(scores[id_]),
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
        usable = ids < len(scores)
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

    def _allowed_by(self, file: str | None, folder: str | None) -> npt.NDArray[np.bool_] | None:
        """Which passages may be hits, (n,); None if all may."""
        key = file, folder
        if key not in self._allowed:
            self._allowed[key] = self._live if key == (None, None) else self._mask(file, folder)
        return self._allowed[key]

    def _mask(self, file: str | None, folder: str | None) -> npt.NDArray[np.bool_]:
        mask = np.zeros(self.card.passages, np.bool_)
        for document in self._store.documents(self.card.generation):
            if _fits(document, file, folder):
                mask[document.first : document.first + document.passages] = True
        if self._live is not None:
            mask &= self._live
        if not mask.any():
            raise DataError(
                f"{one_line(self.folder)}: no file of the index fits --file and --folder; see "
                "its files with nexus index status --files"
            )
        return mask


def _fits(document: Document, file: str | None, folder: str | None) -> bool:
    if file is not None:
        name = document.name if "/" in file else PurePosixPath(document.name).name
        if not fnmatchcase(name, file):
            return False
    if folder is None:
        return True
    parts = (PurePosixPath(document.folder).name, *PurePosixPath(document.name).parts[:-1])
    wanted = PurePosixPath(folder).parts
    return document.folder == folder.rstrip("/") or any(
        parts[start : start + len(wanted)] == wanted for start in range(len(parts))
    )


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
