"""When a checkpoint is due: after each epoch and each minute, within 2 % of the training time."""

from __future__ import annotations

__all__ = ["EVERY_SECONDS", "MAX_SHARE", "SaveClock"]

EVERY_SECONDS = 60.0
"""Training time that a power cut may cost while saves are fast: one takes 0.03 s on the default
run."""
MAX_SHARE = 0.02
"""Share of the training time that saves may take. If a save is slow (a memory card, the weights of
`--tune full`) or epochs are short, saves are less frequent."""


class SaveClock:
    """Decides when to save. All times are seconds of one monotonic clock."""

    def __init__(self, now: float) -> None:
        self._last_ended = now
        self._save_seconds = 0.0

    def due(self, now: float, *, epoch_over: bool) -> bool:
        """Whether to save now."""
        since_last = now - self._last_ended
        if since_last < self._save_seconds / MAX_SHARE:
            return False
        return epoch_over or since_last >= EVERY_SECONDS

    def saved(self, begun: float, ended: float) -> None:
        """Note a save that took from `begun` to `ended`."""
        self._last_ended, self._save_seconds = ended, ended - begun
