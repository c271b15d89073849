"""`Pairs` and `PairData`: the forms in which the rest of the engine sees data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MIN_PAIRS", "PairData", "Pairs", "arrow_strings"]

MIN_PAIRS = 2
"""In a split: Spearman is undefined on fewer."""


def arrow_strings(texts: Sequence[str]) -> pa.Array:
    """A few texts as an Arrow array; a lone surrogate becomes a question mark.

    `pa.array` does the same, but imports pandas if it is installed, which delays a start by 0.2 s.
    """
    import pyarrow as pa

    encoded = [text.encode("utf-8", "replace") for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(
        len(encoded), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))
    )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Pairs:
    """`n` pairs of sentences, held in Arrow arrays rather than as Python strings.

    Two objects compare by identity; `PairData.fingerprint` compares contents.
    """

    first: pa.Array
    """(n,) strings, never null or blank."""
    second: pa.Array
    """(n,) strings, never null or blank."""
    scores: NDArray[np.float32] | None
    """(n,) float32 in 0..1, 1 for the most alike; None when the pairs have no scores."""

    def __post_init__(self) -> None:
        lengths = {len(self.first), len(self.second)}
        if self.scores is not None:
            lengths.add(len(self.scores))
        if len(lengths) != 1:
            raise ValueError(f"columns of different lengths: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.first)

    def __repr__(self) -> str:
        # A repr ends up in logs and tracebacks, so it shows no sentence.
        return f"Pairs(n={len(self)}, scored={self.scores is not None})"

    def take(self, rows: NDArray[np.intp]) -> Pairs:
        """The pairs at `rows` (k,), in that order."""
        scores = None if self.scores is None else self.scores[rows]
        return Pairs(self.first.take(rows), self.second.take(rows), scores)

    def batches(self, size: int = 1024) -> Iterator[tuple[list[str], list[str]]]:
        """Yield (first, second) as lists of at most `size` sentences, in order."""
        for start in range(0, len(self), size):
            yield (
                self.first.slice(start, size).to_pylist(),
                self.second.slice(start, size).to_pylist(),
            )

    def sentences(self, size: int = 1024) -> Iterator[list[str]]:
        """Yield lists of at most `size` sentences: all of `first`, then all of `second`."""
        for column in (self.first, self.second):
            for start in range(0, len(column), size):
                yield column.slice(start, size).to_pylist()


@dataclass(frozen=True, slots=True, eq=False)
class PairData:
    """Three splits of scored pairs, and the decisions made while they were loaded."""

    name: str
    """For display: `demo`, `stsb`, or the name of the file or folder without control characters."""
    source: str
    """The SPEC, as the user gave it."""
    train: Pairs
    dev: Pairs
    test: Pairs
    score_range: tuple[float, float]
    """The range of the scores in the files that was mapped to 0..1."""
    fingerprint: str
    """SHA-256 (hex) of the sentences and scores of the splits, whatever their format."""
    notes: tuple[str, ...]
    """Decisions that the user should know of, one line each; never a sentence of the data."""
    questions: tuple[str, ...] = ()
    """Doubts about the data that the user should settle before training, one line each."""
    labels: str = ""
    """Of a label file, the SHA-256 (hex) of its verdicts; "" for other data."""
