"""Texts of which more and more are embedded, by the base and by the tuned model.

The vectors are kept in memory as float16, of length 1: 0.8 kB a text and model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from nexus_engine.model.shape import Role
from nexus_engine.scoring.querying import Embedder

__all__ = ["EmbeddedTexts"]

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Check = Callable[[], None]

FIRST_CAPACITY = 1024
ROWS_PER_PRODUCT = 8192
"""Vectors that are widened to float32 at a time: 13 MB."""


class EmbeddedTexts:
    """`texts`, and the vectors of those that were added. `base` may be the same as `model`.

    `role` is what the texts are; it decides the prompt before them.
    """

    def __init__(
        self, texts: Sequence[str], model: Embedder, base: Embedder, role: Role = "query"
    ) -> None:
        self.texts = texts
        self._role: Role = role
        self.is_tuned = model is not base
        """Whether the two models differ."""
        self._embedders = [base, model] if self.is_tuned else [base]
        self._row_of = np.full(len(texts), -1, np.int64)
        self._places = np.zeros(0, np.int64)
        self._vectors: list[npt.NDArray[np.float16]] = []

    def __len__(self) -> int:
        """The number of embedded texts."""
        return len(self._places)

    @property
    def places(self) -> Indices:
        """The places of the embedded texts, (m,), in the order in which they were added."""
        return self._places

    def add(self, places: Indices, check: Check = lambda: None) -> None:
        """Embed the texts at `places` (k,) that are not embedded yet; `check` may raise to stop."""
        new = np.asarray(list(dict.fromkeys(places[self._row_of[places] < 0].tolist())), np.int64)
        if not len(new):
            return
        texts = [self.texts[place] for place in new.tolist()]
        vectors = [
            torch.nn.functional.normalize(
                embedder.embed(texts, check=check, remember=False, role=self._role), dim=1
            ).numpy()
            for embedder in self._embedders
        ]
        start, end = len(self), len(self) + len(new)
        self._make_room(end, vectors[0].shape[1])
        for kept, added in zip(self._vectors, vectors, strict=True):
            kept[start:end] = added
        self._row_of[new] = np.arange(start, end)
        self._places = np.concatenate([self._places, new])

    def _make_room(self, rows: int, width: int) -> None:
        if not self._vectors:
            self._vectors = [np.zeros((0, width), np.float16) for _ in self._embedders]
        capacity = len(self._vectors[0])
        if rows <= capacity:
            return
        # Never more than all texts, and the old array is freed before the next one is copied.
        capacity = min(max(2 * capacity, rows, FIRST_CAPACITY), len(self.texts))
        for number, old in enumerate(self._vectors):
            larger = np.empty((max(capacity, rows), width), np.float16)
            larger[: len(old)] = old
            self._vectors[number] = larger

    def vectors(self, places: Indices, *, base: bool = False) -> Floats:
        """The vectors of embedded texts, (k, width), by the tuned or by the base model."""
        rows = self._row_of[places]
        assert (rows >= 0).all()
        return self._vectors[0 if base else -1][rows].astype(np.float32)

    def cosines(self, vectors: Floats, *, base: bool = False) -> Floats:
        """The cosine of each of `vectors` (k, width) with each embedded text, (k, m).

        The columns are in the order of `places`. The texts' vectors are by the tuned or by the base
        model.
        """
        if not len(self):
            return np.zeros((len(vectors), 0), np.float32)
        kept = self._vectors[0 if base else -1]
        found = np.empty((len(vectors), len(self)), np.float32)
        for start in range(0, len(self), ROWS_PER_PRODUCT):
            stop = min(start + ROWS_PER_PRODUCT, len(self))
            found[:, start:stop] = vectors @ kept[start:stop].astype(np.float32).T
        return found
