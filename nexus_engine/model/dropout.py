"""Dropout whose random numbers are cheap on a CPU, and whose masks can be used a second time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["MaskTape", "dropout"]

LEVELS = 256
"""A byte decides each element, so the rate is rounded to a multiple of 1 / 256."""


class MaskTape:
    """The masks of one forward pass, in order, for a second pass over the same batch."""

    def __init__(self) -> None:
        self._masks: list[Tensor] = []
        self._next = 0
        self._replays = False

    @contextmanager
    def recording(self) -> Iterator[None]:
        """In this context `dropout` keeps its masks here."""
        self._replays = False
        with self._active():
            yield

    @contextmanager
    def replaying(self) -> Iterator[None]:
        """In this context `dropout` takes its masks from here, from the first on."""
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

    def kept(self, values: Tensor, rate: float) -> Tensor:
        """The next mask, of `values`' shape, True with probability 1 - `rate`."""
        if self._replays:
            self._next += 1
            return self._masks[self._next - 1]
        self._masks.append(_kept(values, rate))
        return self._masks[-1]


_tape: ContextVar[MaskTape | None] = ContextVar("tape", default=None)


def _levels(rate: float) -> int:
    return round(rate * LEVELS)


def _kept(values: Tensor, rate: float) -> Tensor:
    """Which elements stay: True with probability 1 - `rate`, rounded to 1 / 256."""
    count = values.numel()
    if values.device.type != "cpu":
        chosen = torch.empty(values.shape, dtype=torch.uint8, device=values.device)
        return chosen.random_(0, LEVELS) >= _levels(rate)
    draws = torch.empty((count + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
    return draws.view(torch.uint8)[:count].view(values.shape) >= _levels(rate)


def dropout(values: Tensor, rate: float, training: bool) -> Tensor:
    """`values` with a share `rate` of elements zeroed and the rest scaled to keep the mean.

    On a CPU torch draws one random number an element, a tenth of a training step (measured); here
    eight elements share one 64-bit draw. The rate in use is `rate` rounded to 1 / 256, and the
    scale belongs to the rounded rate, so the mean is kept exactly. Elsewhere torch's own is used,
    but where a `MaskTape` is active.
    """
    if not training or rate == 0.0:
        return values
    tape = _tape.get()
    if tape is None and values.device.type != "cpu":
        return F.dropout(values, rate, training=True)
    kept = _kept(values, rate) if tape is None else tape.kept(values, rate)
    return values * (kept * (LEVELS / (LEVELS - _levels(rate)))).to(values.dtype)
