"""Sentences as token ids, each distinct sentence once, in two flat arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer as FastTokenizer

from nexus_engine.base_model import MAX_TOKENS
from nexus_engine.encoder import EncoderShape, PackedBatch, pack
from nexus_engine.errors import ModelError, one_line

__all__ = ["TokenStore", "Tokenizer"]

Rows = npt.NDArray[np.int64]


class Tokenizer:
    """The model's own WordPiece tokenizer, without padding, cut at `max_tokens`."""

    def __init__(self, folder: Path, max_tokens: int = MAX_TOKENS) -> None:
        path = folder / "tokenizer.json"
        try:
            self._fast = FastTokenizer.from_file(str(path))
            highest = max(self._fast.get_vocab(with_added_tokens=True).values(), default=0)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # bare Exception, or the panic of its native code
            raise ModelError(f"{one_line(path)}: {one_line(error, 120)}") from None
        if highest >= EncoderShape().vocabulary:
            raise ModelError(f"{one_line(path)}: token {highest} is beyond the model's vocabulary")
        self._fast.no_padding()
        self._fast.enable_truncation(max_length=max_tokens)

    def __call__(self, sentences: Sequence[str]) -> list[list[int]]:
        """Token ids of each sentence, [CLS] and [SEP] included."""
        encoded = self._fast.encode_batch_fast(
            # A lone surrogate cannot be encoded; the tokenizer would raise on it.
            [s.encode("utf-8", "replace").decode("utf-8") for s in sentences]
        )
        return [e.ids for e in encoded]


class TokenStore:
    """Token ids of `n` distinct sentences: `ids` (tokens,) int32, `offsets` (n + 1,) int64."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._rows: dict[str, int] = {}
        self._chunks: list[npt.NDArray[np.int32]] = []
        self._lengths: list[int] = []
        self._ids: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self._offsets: npt.NDArray[np.int64] = np.zeros(1, np.int64)

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, batches: Iterable[Sequence[str]]) -> npt.NDArray[np.int64]:
        """The row of each sentence, (m,), tokenising those not seen before."""
        rows: list[int] = []
        for batch in batches:
            fresh: list[str] = []
            for sentence in batch:
                row = self._rows.setdefault(sentence, len(self._rows))
                if row == len(self._lengths) + len(fresh):
                    fresh.append(sentence)
                rows.append(row)
            for ids in self._tokenizer(fresh):
                self._chunks.append(np.asarray(ids, np.int32))
                self._lengths.append(len(ids))
        if self._chunks:
            self._ids = np.concatenate([self._ids, *self._chunks])
            self._chunks = []
            self._offsets = np.concatenate(
                [np.zeros(1, np.int64), np.cumsum(self._lengths, dtype=np.int64)]
            )
        return np.asarray(rows, np.int64)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each row, (n,)."""
        return np.diff(self._offsets)

    def tokens(self, rows: npt.NDArray[np.int64]) -> tuple[Rows, Rows]:
        """The sentences of `rows`, (m,), end to end: token ids (t,) and lengths (m,)."""
        starts, ends = self._offsets[rows], self._offsets[rows + 1]
        lengths = ends - starts
        # For each output place: its index inside the sentence, plus where the sentence begins.
        inside = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return self._ids[np.repeat(starts, lengths) + inside].astype(np.int64), lengths

    def batch(self, rows: npt.NDArray[np.int64]) -> PackedBatch:
        """The sentences of `rows`, (m,), in that order, as one packed batch."""
        ids, lengths = self.tokens(rows)
        return pack(torch.from_numpy(ids), torch.from_numpy(lengths))
