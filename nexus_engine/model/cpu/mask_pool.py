"""Dropout masks from a pool: drawing fresh random numbers for each would cost a tenth of a step."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["DropoutPool"]

POOL = 1 << 21
"""Elements in the pool; a step of 64 STS-B pairs reads about six times as many."""
STEPS_PER_POOL = 32
"""Steps after which the pool is drawn anew."""
ALIGN = 32


class DropoutPool:
    """Multipliers of dropout: 0 with probability `rate`, else 1 / (1 - rate).

    Every mask is a stretch of the pool from a random place, so two masks of one step may share
    elements, at different positions. What `take` returns depends on seed, step and the order of
    calls in the step alone: a resumed run draws what an uninterrupted one draws.

    The scale is rounded to bfloat16, and the probability fits the rounded scale to 1 / 65536, so
    that the mean is kept; 0.1 becomes 0.0986.
    """

    def __init__(self, rate: float, seed: int, dtype: torch.dtype) -> None:
        self.rate = rate
        self.dtype = dtype
        self._seed = seed
        scale = float(torch.tensor(1.0 / (1.0 - rate)).to(torch.bfloat16))
        self._scale = scale
        self._zeroed = round((1.0 - 1.0 / scale) * 65536)
        self._drawn = -1
        self._step, self._begun = 0, False
        self._pool = torch.empty(0)
        self._places = np.random.default_rng(0)

    def begin(self, step: int) -> None:
        """Make ready for optimizer step `step`."""
        self._step, self._begun = step, False

    def _draw(self) -> None:
        """Renew the pool where it is due, and choose this step's places."""
        self._begun = True
        self._places = np.random.default_rng((self._seed, self._step))
        if self._step // STEPS_PER_POOL == self._drawn:
            return
        self._drawn = self._step // STEPS_PER_POOL
        draws = np.random.Generator(np.random.SFC64([self._seed, self._drawn, 1]))
        words = draws.integers(0, 2**64 - 1, POOL // 4, np.uint64, endpoint=True)
        kept = torch.from_numpy(words.view(np.uint16).view(np.int16)) >= self._zeroed - 32768
        self._pool = kept.to(self.dtype).mul_(self._scale)

    def take(self, count: int) -> Tensor:
        """`count` multipliers, flat; not to be written to, and valid during this step."""
        if not self._begun:
            self._draw()
        if count <= POOL:
            start = int(self._places.integers(0, (POOL - count) // ALIGN + 1)) * ALIGN
            return self._pool[start : start + count]
        parts = [self.take(POOL) for _ in range(count // POOL)]
        return torch.cat([*parts, self.take(count % POOL)])
