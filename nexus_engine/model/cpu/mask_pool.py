"""Dropout masks from a pool. New random numbers for each mask would take a tenth of a step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

__all__ = ["DropoutPool", "Mask"]

POOL_SIZE = 1 << 21
"""Number of elements in the pool. A step of 64 STS-B pairs reads about six times as many."""
STEPS_PER_POOL = 32
"""Number of steps after which the pool is drawn anew."""
ALIGNMENT = 32
"""Masks start at multiples of this many elements."""


class Mask(NamedTuple):
    """Where a mask stands in the pool. Kept for a backward pass, it takes no memory."""

    pool: Tensor
    slices: tuple[slice, ...]

    def multipliers(self) -> Tensor:
        """The mask's multipliers, flat. Do not write to them."""
        parts = [self.pool[part] for part in self.slices]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def times(self, values: Tensor, out: Tensor | None = None) -> Tensor:
        """`values`, contiguous, multiplied by the mask; written to `out`, which may be `values`."""
        masked = torch.empty_like(values) if out is None else out
        flat, into = values.view(-1), masked.view(-1)
        start = 0
        for part in self.slices:
            stop = start + part.stop - part.start
            torch.mul(flat[start:stop], self.pool[part], out=into[start:stop])
            start = stop
        return masked


class DropoutPool:
    """Dropout multipliers: 0 with probability `rate`, else 1 / (1 - rate).

    Every mask is a slice of the pool from a random start, so two masks of a step may share elements
    at different positions. `take` depends only on the seed, the step, its part and the order of
    calls in that, so a resumed run gets the same masks as an uninterrupted one.

    The scale is rounded to bfloat16. The probability is chosen to 1 / 65536 for the rounded scale,
    so that the mean is kept: 0.1 becomes 0.0986.
    """

    def __init__(self, rate: float, seed: int, dtype: torch.dtype) -> None:
        self.rate = rate
        self.dtype = dtype
        self._seed = seed
        scale = float(torch.tensor(1.0 / (1.0 - rate)).to(torch.bfloat16))
        self._scale = scale
        self._zeros_in_65536 = round((1.0 - 1.0 / scale) * 65536)
        self._draw = -1
        self._step, self._ready = 0, False
        self._part: tuple[int, ...] = ()
        self._pool = torch.empty(0)
        self._starts = np.random.default_rng(0)

    def begin(self, step: int, part: int | None = None) -> None:
        """Begin optimizer step `step`, or one `part` of it, from 0, which has masks of its own."""
        self._step, self._ready = step, False
        # Not 0: NumPy's seeds (a, b) and (a, b, 0) are one.
        self._part = () if part is None else (part + 1,)

    def _prepare(self) -> None:
        """Seed the starts of this step's masks, and draw a new pool if one is due."""
        self._ready = True
        self._starts = np.random.default_rng((self._seed, self._step, *self._part))
        if self._step // STEPS_PER_POOL == self._draw:
            return
        self._draw = self._step // STEPS_PER_POOL
        generator = np.random.Generator(np.random.SFC64([self._seed, self._draw, 1]))
        words = generator.integers(0, 2**64 - 1, POOL_SIZE // 4, np.uint64, endpoint=True)
        numbers = torch.from_numpy(words.view(np.uint16).view(np.int16))
        keep = numbers >= self._zeros_in_65536 - 32768
        self._pool = keep.to(self.dtype).mul_(self._scale)

    def take(self, count: int) -> Tensor:
        """`count` multipliers, flat. Do not write to them; they are valid during this step only."""
        return self.mark(count).multipliers()

    def mark(self, count: int) -> Mask:
        """A mask of `count` elements; see `take`."""
        if not self._ready:
            self._prepare()
        # A long mask is several slices, one of them perhaps empty.
        sizes = [POOL_SIZE] * (count // POOL_SIZE) + [count % POOL_SIZE]
        if count <= POOL_SIZE:
            sizes = [count]
        return Mask(self._pool, tuple(self._slice(size) for size in sizes))

    def _slice(self, count: int) -> slice:
        starts = (POOL_SIZE - count) // ALIGNMENT + 1
        start = int(self._starts.integers(0, starts)) * ALIGNMENT
        return slice(start, start + count)
