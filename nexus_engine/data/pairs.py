"""The two shapes in which the rest of the engine sees data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PairData", "Pairs", "arrow_strings"]


def arrow_strings(texts: Sequence[str]) -> pa.Array:
    """A few texts as an Arrow array; what is no Unicode in them becomes a question mark.

    `pa.array` does the same, but imports pandas where that is installed: 0.2 s of a start.
    """
    import pyarrow as pa

    found = [text.encode("utf-8", "replace") for text in texts]
    ends = np.cumsum([0, *map(len, found)], dtype=np.int32)
    return pa.StringArray.from_buffers(
        len(found), pa.py_buffer(ends), pa.py_buffer(b"".join(found))
    )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Pairs:
    """`n` pairs of sentences, in Arrow's memory rather than as Python strings.

    Compared by identity; `PairData.fingerprint` compares contents.
    """

    first: pa.Array
    """(n,) strings, never null or blank."""
    second: pa.Array
    """(n,) strings, never null or blank."""
    scores: NDArray[np.float32] | None
    """(n,) float32 in 0..1, 1 the most alike; None when the pairs carry no score."""

    def __post_init__(self) -> None:
        lengths = {len(self.first), len(self.second)}
        if self.scores is not None:
            lengths.add(len(self.scores))
        if len(lengths) != 1:
            raise ValueError(f"columns of different lengths: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.first)

    def __repr__(self) -> str:
        # Without the sentences: a repr ends up in logs and tracebacks.
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
    """Three splits of scored pairs and what was decided while they were loaded."""

    name: str
    """For the screen: `demo`, `stsb`, or the file's or folder's name without control characters."""
    source: str
    """The SPEC as it was given."""
    train: Pairs
    dev: Pairs
    test: Pairs
    score_range: tuple[float, float]
    """The range of the file's scores that was mapped to 0..1."""
    fingerprint: str
    """SHA-256 (hex) of the splits' sentences and scores, whatever format they came in."""
    notes: tuple[str, ...]
    """What was decided and the user should know, one line each; never a sentence of the data."""
    questions: tuple[str, ...] = ()
    """What the user should answer before training: the data may not be what it was taken for."""
