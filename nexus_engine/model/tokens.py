"""Sentences as token ids: each distinct sentence once, in two flat arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer as FastTokenizer

from nexus_engine.disk.regular_files import read_regular
from nexus_engine.errors import ModelError, one_line
from nexus_engine.model.encoder import PackedBatch, pack
from nexus_engine.model.model_folder import MAX_TOKENIZER_BYTES
from nexus_engine.model.shape import DEFAULT_SHAPE, MAX_TOKENS, ModelShape, Prompts

__all__ = ["Rows", "TokenStore", "Tokenizer"]

LARGEST_SHORT = 1 << 16
"""Token ids of a vocabulary up to this size take two bytes, others four."""
Rows = npt.NDArray[np.int64]
"""Row numbers: sentences in a store, or pairs in a split."""


class Tokenised(list[list[int]]):
    """Token ids of each sentence; `cut` has the indices of the sentences that were truncated."""

    cut: tuple[int, ...] = ()


class Tokenizer:
    """The model's own tokenizer, without padding, truncated at `max_tokens`.

    `shape` is that of the model in `folder`; `prompts` and `vocabulary` are the shape's.
    """

    def __init__(
        self, folder: Path, max_tokens: int = MAX_TOKENS, shape: ModelShape = DEFAULT_SHAPE
    ) -> None:
        self.key = (str(folder), max_tokens, shape)
        """Equal for tokenizers that give equal tokens."""
        self.prompts = shape.prompts
        self.vocabulary = shape.encoder.vocabulary
        self._lower_case = shape.lower_case
        path = folder / "tokenizer.json"
        try:
            # Not `from_file`: it would wait for a FIFO and read a file of any size.
            content = read_regular(path, MAX_TOKENIZER_BYTES, follow=True)
            self._fast = FastTokenizer.from_buffer(content)
            highest = max(self._fast.get_vocab(with_added_tokens=True).values(), default=0)
        except (KeyboardInterrupt, SystemExit):
            raise
        except OSError as error:
            raise ModelError(f"{one_line(path)}: {error.strerror}") from None
        except BaseException as error:  # an Exception, or a panic of the native code
            raise ModelError(f"{one_line(path)}: {one_line(error, 120)}") from None
        if highest >= self.vocabulary:
            raise ModelError(f"{one_line(path)}: token {highest} is outside the model's vocabulary")
        self.max_tokens = max_tokens
        self._fast.no_padding()
        self._fast.enable_truncation(max_length=max_tokens)

    def __call__(self, sentences: Sequence[str]) -> Tokenised:
        """Token ids of each sentence, start and end tokens included."""
        if self._lower_case:
            sentences = [s.lower() for s in sentences]
        encoded = self._fast.encode_batch_fast(
            # The tokenizer raises on a lone surrogate, so it is replaced.
            [s.encode("utf-8", "replace").decode("utf-8") for s in sentences]
        )
        tokenised = Tokenised(e.ids for e in encoded)
        full = [i for i, ids in enumerate(tokenised) if len(ids) == self.max_tokens]
        tokenised.cut = tuple(i for i in full if encoded[i].overflowing)
        return tokenised


class TokenStore:
    """Token ids of `n` sentences: ids (tokens,) uint16 or uint32, offsets (n + 1,) int64.

    The type of the ids follows the tokenizer's `vocabulary`, as far as it tells one.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._rows: dict[str, int] = {}
        short = getattr(tokenizer, "vocabulary", 0) <= LARGEST_SHORT
        self._type: type[np.unsignedinteger[Any]] = np.uint16 if short else np.uint32
        self._ids: npt.NDArray[np.unsignedinteger[Any]] = np.zeros(0, self._type)
        self._offsets: npt.NDArray[np.int64] = np.zeros(1, np.int64)
        self._cut: list[int] = []

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @property
    def max_tokens(self) -> int:
        """Tokens at which a sentence is truncated."""
        return self._tokenizer.max_tokens

    @property
    def prompts(self) -> Prompts:
        """What the model reads before a text of each role."""
        prompts = getattr(self._tokenizer, "prompts", None)
        return prompts if isinstance(prompts, Prompts) else Prompts()

    def add(self, batches: Iterable[Sequence[str]], *, prompt: str = "") -> Rows:
        """The row of each sentence, (m,). Sentences that were not added before are tokenised.

        `prompt` is read before each; a sentence has a row for each prompt.
        """
        rows: list[int] = []
        old = len(self)

        def new_sentences() -> Iterator[list[str]]:
            count = 0
            for batch in batches:
                fresh: list[str] = []
                for text in batch:
                    sentence = prompt + text
                    row = self._rows.setdefault(sentence, old + count + len(fresh))
                    if row == old + count + len(fresh):
                        fresh.append(sentence)
                    rows.append(row)
                count += len(fresh)
                yield fresh

        self.add_distinct(new_sentences())
        return np.asarray(rows, np.int64)

    def add_distinct(self, batches: Iterable[Sequence[str]], *, prompt: str = "") -> Rows:
        """A new row for each sentence, (m,). The caller guarantees that all sentences differ.

        Only the tokens are stored, two or four bytes each, not the sentences. `prompt` is read
        before each sentence.
        """
        old, ids, lengths = len(self), [self._ids], [np.zeros(0, np.int64)]
        rows = old
        for batch in batches:
            tokenised = self._tokenizer([prompt + text for text in batch] if prompt else batch)
            self._cut += [rows + index for index in getattr(tokenised, "cut", ())]
            rows += len(tokenised)
            counts = np.fromiter((len(tokens) for tokens in tokenised), np.int64, len(tokenised))
            lengths.append(counts)
            ids.append(np.fromiter(chain.from_iterable(tokenised), self._type, int(counts.sum())))
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
