"""Models that embed a text as the sum of its words: quick, and near where words are shared."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import torch

WIDTH = 32


class WordModel:
    """Embeds by words; `twist` adds the length of a text, as training would move it."""

    def __init__(self, twist: float = 0.0) -> None:
        self.twist = twist
        self.embedded: list[str] = []

    def embed(
        self,
        sentences,
        progress=lambda _: None,
        check=lambda: None,
        *,
        remember=True,
        cut=lambda _: None,
        role="query",
    ):
        check()
        self.embedded += sentences
        return torch.stack([self._vector(sentence) for sentence in sentences])

    def _vector(self, sentence: str) -> torch.Tensor:
        total = torch.zeros(WIDTH)
        for word in sentence.lower().split():
            total += word_vector(word)
        total[0] += self.twist * len(sentence)
        return total


@lru_cache(maxsize=100_000)
def word_vector(word: str) -> torch.Tensor:
    """A direction of its own for each word."""
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4])
    return torch.randn(WIDTH, generator=torch.Generator().manual_seed(seed))
