"""Which passages answer which questions, as flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Answers", "Ragged"]


class Ragged(NamedTuple):
    """Lists of different lengths, one after another.

    `values` (k,) int64 hold list i at `offsets[i]:offsets[i + 1]`; `offsets` (n + 1,) int64.
    """

    offsets: NDArray[np.int64]
    values: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]]) -> Ragged:
        """From lists of integers."""
        offsets = np.cumsum([0, *map(len, lists)]).astype(np.int64)
        return cls(offsets, np.asarray([value for each in lists for value in each], np.int64))

    def owners(self) -> NDArray[np.int64]:
        """The list of each value, (k,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def list_at(self, place: int) -> NDArray[np.int64]:
        """The values of one list."""
        return self.values[self.offsets[place] : self.offsets[place + 1]]

    def places_of(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the values of the lists `chosen` stand in `values`, list after list."""
        starts, ends = self.offsets[chosen], self.offsets[chosen + 1]
        lengths = ends - starts
        inside = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        places: NDArray[np.int64] = np.repeat(starts, lengths) + inside
        return places

    def take(self, chosen: NDArray[np.int64]) -> Ragged:
        """The lists `chosen`, in that order."""
        lengths = self.offsets[chosen + 1] - self.offsets[chosen]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Ragged(offsets, self.values[self.places_of(chosen)])


class Answers(NamedTuple):
    """The known answers of `q` questions: passages as `rows`, and how relevant each is.

    `gains` (k,) float64, above 0, belong to `rows.values`. A passage stands at most once in a list.
    """

    rows: Ragged
    gains: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], gains: Sequence[Sequence[float]] = ()) -> Answers:
        """From a list of passages for each question; without `gains` each counts 1."""
        flat = [gain for each in gains for gain in each] if gains else [1.0] * sum(map(len, rows))
        return cls(Ragged.of(rows), np.asarray(flat, np.float64))

    def take(self, chosen: NDArray[np.int64]) -> Answers:
        """The answers of the questions `chosen`, in that order."""
        return Answers(self.rows.take(chosen), self.gains[self.rows.places_of(chosen)])
