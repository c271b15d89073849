"""Dropout with cheap random numbers on a CPU, and with masks that can be replayed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["MaskTape", "dropout", "no_tape"]

LEVELS = 256
"""One random byte decides each element, so the rate is rounded to a multiple of 1 / 256."""


class MaskTape:
    """Records the masks of a forward pass and replays them in a second pass over the same batch."""

    def __init__(self) -> None:
        self._masks: list[Tensor] = []
        self._next = 0
        self._replays = False

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Within this context, `dropout` records its masks here."""
        self._replays = False
        with self._active():
            yield

    @contextmanager
    def replaying(self) -> Iterator[None]:
        """Within this context, `dropout` uses the recorded masks, from the first on."""
        self._replays, self._next = True, 0
        with self._active():
            yield

    @contextmanager
    def _active(self) -> Iterator[None]:
        token = _tape.set(self)
        try:
            yield
        finally:
            _tape.reset(token)

    def mask(self, values: Tensor, rate: float) -> Tensor:
        """The next mask: the shape of `values`, True with probability 1 - `rate`."""
        if self._replays:
            self._next += 1
            return self._masks[self._next - 1]
        self._masks.append(_draw_mask(values, rate))
        return self._masks[-1]


_tape: ContextVar[MaskTape | None] = ContextVar("tape", default=None)


@contextmanager
def no_tape() -> Iterator[None]:
    """Within this context, `dropout` draws fresh masks and records none."""
    token = _tape.set(None)
    try:
        yield
    finally:
        _tape.reset(token)


def _levels(rate: float) -> int:
    return round(rate * LEVELS)


def _draw_mask(values: Tensor, rate: float) -> Tensor:
    """A mask of the elements to keep: True with probability 1 - `rate`, rounded to 1 / 256."""
    count = values.numel()
    if values.device.type != "cpu":
        draws = torch.empty(values.shape, dtype=torch.uint8, device=values.device)
        return draws.random_(0, LEVELS) >= _levels(rate)
    words = torch.empty((count + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
    return words.view(torch.uint8)[:count].view(values.shape) >= _levels(rate)


def dropout(values: Tensor, rate: float, training: bool) -> Tensor:
    """`values` with a fraction `rate` of the elements zeroed and the rest scaled to keep the mean.

    On a CPU, torch draws one random number per element, which takes a tenth of a training step
    (measured); here eight elements share one 64-bit draw. `rate` is rounded to 1 / 256 and the
    scale follows the rounded rate, so the mean is exact. On other devices torch's own dropout is
    used, unless a `MaskTape` is active.
    """
    if not training or rate == 0.0:
        return values
    tape = _tape.get()
    if tape is None and values.device.type != "cpu":
        return F.dropout(values, rate, training=True)
    mask = _draw_mask(values, rate) if tape is None else tape.mask(values, rate)
    return values * (mask * (LEVELS / (LEVELS - _levels(rate)))).to(values.dtype)
