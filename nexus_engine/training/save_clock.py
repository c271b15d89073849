"""When a checkpoint is due: at each epoch's end and every minute, at two per cent of the time."""

from __future__ import annotations

__all__ = ["EVERY_SECONDS", "MAX_SHARE", "SaveClock"]

EVERY_SECONDS = 60.0
"""What a power cut may cost at most, where saving is cheap: it takes 0.03 s on the default run."""
MAX_SHARE = 0.02
"""Of the training's time that saving may take. Where a save is slow (a memory card, the weights of
`--tune full`) or epochs are short, saves are rarer instead."""


class SaveClock:
    """Decides when to save; told of each save. Times are of one monotonic clock, in seconds."""

    def __init__(self, now: float) -> None:
        self._ended = now
        self._cost = 0.0

    def due(self, now: float, *, epoch_over: bool) -> bool:
        """Whether to save now."""
        waited = now - self._ended
        if waited < self._cost / MAX_SHARE:
            return False
        return epoch_over or waited >= EVERY_SECONDS

    def saved(self, begun: float, ended: float) -> None:
        """A save took from `begun` to `ended`."""
        self._ended, self._cost = ended, ended - begun
