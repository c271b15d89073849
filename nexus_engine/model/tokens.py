"""Sentences as token ids: each distinct sentence once, in two flat arrays."""

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

__all__ = ["Rows", "TokenStore", "Tokenizer"]

MAX_BYTES = 64_000_000
"""Size of `tokenizer.json`; the published one has 0.5 MB."""
Rows = npt.NDArray[np.int64]
"""Row numbers: sentences in a store, or pairs in a split."""


class Tokenised(list[list[int]]):
    """Token ids of each sentence; `cut` has the indices of the sentences that were truncated."""

    cut: tuple[int, ...] = ()


class Tokenizer:
    """The model's own WordPiece tokenizer, without padding, truncated at `max_tokens`."""

    def __init__(self, folder: Path, max_tokens: int = MAX_TOKENS) -> None:
        path = folder / "tokenizer.json"
        try:
            # Not `from_file`: it would wait for a FIFO and read a file of any size.
            content = read_regular(path, MAX_BYTES, follow=True)
            self._fast = FastTokenizer.from_buffer(content)
            highest = max(self._fast.get_vocab(with_added_tokens=True).values(), default=0)
        except (KeyboardInterrupt, SystemExit):
            raise
        except OSError as error:
            raise ModelError(f"{one_line(path)}: {error.strerror}") from None
        except BaseException as error:  # an Exception, or a panic of the native code
            raise ModelError(f"{one_line(path)}: {one_line(error, 120)}") from None
        if highest >= EncoderShape().vocabulary:
            raise ModelError(f"{one_line(path)}: token {highest} is outside the model's vocabulary")
        self.max_tokens = max_tokens
        self._fast.no_padding()
        self._fast.enable_truncation(max_length=max_tokens)

    def __call__(self, sentences: Sequence[str]) -> Tokenised:
        """Token ids of each sentence, [CLS] and [SEP] included."""
        encoded = self._fast.encode_batch_fast(
            # The tokenizer raises on a lone surrogate, so it is replaced.
            [s.encode("utf-8", "replace").decode("utf-8") for s in sentences]
        )
        tokenised = Tokenised(e.ids for e in encoded)
        full = [i for i, ids in enumerate(tokenised) if len(ids) == self.max_tokens]
        tokenised.cut = tuple(i for i in full if encoded[i].overflowing)
        return tokenised


class TokenStore:
    """Token ids of `n` sentences: ids (tokens,) uint16, offsets (n + 1,) int64."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._rows: dict[str, int] = {}
        self._ids: npt.NDArray[np.uint16] = np.zeros(0, np.uint16)
        self._offsets: npt.NDArray[np.int64] = np.zeros(1, np.int64)
        self._cut: list[int] = []

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @property
    def max_tokens(self) -> int:
        """Tokens at which a sentence is truncated."""
        return self._tokenizer.max_tokens

    def add(self, batches: Iterable[Sequence[str]]) -> Rows:
        """The row of each sentence, (m,). Sentences that were not added before are tokenised."""
        rows: list[int] = []
        old = len(self)

        def new_sentences() -> Iterator[list[str]]:
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

        self.add_distinct(new_sentences())
        return np.asarray(rows, np.int64)

    def add_distinct(self, batches: Iterable[Sequence[str]]) -> Rows:
        """A new row for each sentence, (m,). The caller guarantees that all sentences differ.

        Only the tokens are stored, two bytes each, not the sentences.
        """
        old, ids, lengths = len(self), [self._ids], [np.zeros(0, np.int64)]
        rows = old
        for batch in batches:
            tokenised = self._tokenizer(batch)
            self._cut += [rows + index for index in getattr(tokenised, "cut", ())]
            rows += len(tokenised)
            counts = np.fromiter((len(tokens) for tokens in tokenised), np.int64, len(tokenised))
            lengths.append(counts)
            ids.append(np.fromiter(chain.from_iterable(tokenised), np.uint16, int(counts.sum())))
        self._ids = np.concatenate(ids)
        ends = int(self._offsets[-1]) + np.cumsum(np.concatenate(lengths))
        self._offsets = np.concatenate([self._offsets, ends])
        return np.arange(old, len(self))

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """The number of tokens of each row, (n,)."""
        return np.diff(self._offsets)

    def cut_among(self, rows: Rows) -> Rows:
        """Those of `rows` (m,) whose sentence was truncated, in rising order."""
        return np.intersect1d(rows, np.asarray(self._cut, np.int64))

    def key(self, row: int) -> bytes:
        """The tokens of a row as bytes, equal for sentences that the model cannot tell apart."""
        return self._ids[self._offsets[row] : self._offsets[row + 1]].tobytes()

    def lengths_of(self, rows: Rows) -> npt.NDArray[np.int64]:
        """The number of tokens of each of `rows`, (m,)."""
        return self._offsets[rows + 1] - self._offsets[rows]

    def tokens(self, rows: npt.NDArray[np.int64]) -> tuple[Rows, Rows]:
        """The sentences of `rows` (m,) end to end: token ids (t,) and lengths (m,)."""
        starts, ends = self._offsets[rows], self._offsets[rows + 1]
        lengths = ends - starts
        # Each token's index within its sentence; the start of the sentence is added below.
        inside = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return self._ids[np.repeat(starts, lengths) + inside].astype(np.int64), lengths

    def batch(self, rows: npt.NDArray[np.int64]) -> PackedBatch:
        """The sentences of `rows` (m,), in that order, as one packed batch."""
        ids, lengths = self.tokens(rows)
        return pack(torch.from_numpy(ids), torch.from_numpy(lengths))
