"""Sentences as token ids, each distinct sentence once, in two flat arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer as FastTokenizer

from nexus_engine.disk.regular_files import read_regular
from nexus_engine.errors import ModelError, one_line
from nexus_engine.model.base_model import MAX_TOKENS
from nexus_engine.model.encoder import EncoderShape, PackedBatch, pack

__all__ = ["Rows", "TokenStore", "Tokenised", "Tokenizer"]

MAX_BYTES = 64_000_000
"""Of tokenizer.json; the published one has 0.5 MB."""
Rows = npt.NDArray[np.int64]
"""Row numbers: of sentences in a store, or of pairs in a split."""


class Tokenised(list[list[int]]):
    """Token ids of each sentence; `cut` are the places of those that went on after their last."""

    cut: tuple[int, ...] = ()


class Tokenizer:
    """The model's own WordPiece tokenizer, without padding, cut at `max_tokens`."""

    def __init__(self, folder: Path, max_tokens: int = MAX_TOKENS) -> None:
        path = folder / "tokenizer.json"
        try:
            # Not by `from_file`: it opens what is there, a FIFO too, and reads all of it.
            content = read_regular(path, MAX_BYTES, follow=True)
            self._fast = FastTokenizer.from_buffer(content)
            highest = max(self._fast.get_vocab(with_added_tokens=True).values(), default=0)
        except (KeyboardInterrupt, SystemExit):
            raise
        except OSError as error:
            raise ModelError(f"{one_line(path)}: {error.strerror}") from None
        except BaseException as error:  # bare Exception, or the panic of its native code
            raise ModelError(f"{one_line(path)}: {one_line(error, 120)}") from None
        if highest >= EncoderShape().vocabulary:
            raise ModelError(f"{one_line(path)}: token {highest} is beyond the model's vocabulary")
        self._most = max_tokens
        self._fast.no_padding()
        self._fast.enable_truncation(max_length=max_tokens)

    def __call__(self, sentences: Sequence[str]) -> Tokenised:
        """Token ids of each sentence, [CLS] and [SEP] included."""
        encoded = self._fast.encode_batch_fast(
            # A lone surrogate cannot be encoded; the tokenizer would raise on it.
            [s.encode("utf-8", "replace").decode("utf-8") for s in sentences]
        )
        found = Tokenised(e.ids for e in encoded)
        full = [place for place, ids in enumerate(found) if len(ids) == self._most]
        found.cut = tuple(place for place in full if encoded[place].overflowing)
        return found


class TokenStore:
    """Token ids of `n` sentences: `ids` (tokens,) uint16, `offsets` (n + 1,) int64."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._rows: dict[str, int] = {}
        self._ids: npt.NDArray[np.uint16] = np.zeros(0, np.uint16)
        self._offsets: npt.NDArray[np.int64] = np.zeros(1, np.int64)
        self._cut: list[int] = []

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def add(self, batches: Iterable[Sequence[str]]) -> Rows:
        """The row of each sentence, (m,), tokenising those that this was not given before."""
        rows: list[int] = []
        old = len(self)

        def fresh_ones() -> Iterator[list[str]]:
            count = 0
            for batch in batches:
                fresh: list[str] = []
                for sentence in batch:
                    row = self._rows.setdefault(sentence, old + count + len(fresh))
                    if row == old + count + len(fresh):
                        fresh.append(sentence)
                    rows.append(row)
                count += len(fresh)
                yield fresh

        self.add_distinct(fresh_ones())
        return np.asarray(rows, np.int64)

    def add_distinct(self, batches: Iterable[Sequence[str]]) -> Rows:
        """A new row for each sentence, (m,), the caller's word taken that they differ.

        Nothing of the sentences is remembered but their tokens: two bytes each.
        """
        old, parts, lengths = len(self), [self._ids], [np.zeros(0, np.int64)]
        done = old
        for batch in batches:
            found = self._tokenizer(batch)
            self._cut += [done + place for place in getattr(found, "cut", ())]
            done += len(found)
            size = np.fromiter((len(ids) for ids in found), np.int64, len(found))
            lengths.append(size)
            parts.append(np.fromiter(chain.from_iterable(found), np.uint16, int(size.sum())))
        self._ids = np.concatenate(parts)
        grown = int(self._offsets[-1]) + np.cumsum(np.concatenate(lengths))
        self._offsets = np.concatenate([self._offsets, grown])
        return np.arange(old, len(self))

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each row, (n,)."""
        return np.diff(self._offsets)

    def cut_among(self, rows: Rows) -> Rows:
        """Those of `rows`, (m,), whose sentence is longer than the model reads."""
        return np.intersect1d(rows, np.asarray(self._cut, np.int64))

    def key(self, row: int) -> bytes:
        """The tokens of a row, to be compared: equal for sentences that are one to the model."""
        return self._ids[self._offsets[row] : self._offsets[row + 1]].tobytes()

    def lengths_of(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Tokens of `rows`, (m,)."""
        return self._offsets[rows + 1] - self._offsets[rows]

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
