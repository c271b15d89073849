"""A judgement as part of a run: its progress as events."""

from __future__ import annotations

import time
from collections.abc import Generator

from nexus_engine.events import Evaluating, Event
from nexus_engine.scoring.evaluation import Judged
from nexus_engine.scoring.judging import Progress, Split

__all__ = ["judged"]

PROGRESS_SECONDS = 0.5
"""Least time between two reports of progress."""


def judged(
    judging: Progress, split: Split, epoch: int = 0, arm: str = "main"
) -> Generator[Event, None, Judged]:
    """Run a judgement to its end; yields progress, at most twice a second."""
    shown = time.perf_counter()
    while True:
        try:
            done, total = next(judging)
        except StopIteration as end:
            result: Judged = end.value
            return result
        if time.perf_counter() - shown >= PROGRESS_SECONDS:
            shown = time.perf_counter()
            yield Evaluating(
                time_unix_s=time.time(), arm=arm, epoch=epoch, split=split, done=done, total=total
            )
