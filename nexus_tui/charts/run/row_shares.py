"""How the live screen shares out its rows. A pure function of the window's size."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["split_rows"]

MIN_CHART, MAX_CHART = 5, 12
TIMELINE = 4
MIN_LOG = 2
LOG_AFTER_END = 12
"""Rows that must be left for an ended run to show its log."""


class RowShares(NamedTuple):
    """Rows of each part, 0 where it is left out; gaps are blank rows above a part."""

    gap: int
    charts: int
    timeline_gap: int
    timeline: int
    guard_gap: int
    guard: int
    log: int


def split_rows(height: int, head: int, *, ended: bool) -> RowShares:
    """Rows for all parts below the head, in a single column of `height` rows.

    What can be done without goes first: blank rows, the log, the guard (whose figures an ended
    run's result holds), the timeline.
    """
    left = height - head - MIN_CHART
    timeline = TIMELINE if left >= TIMELINE else 0
    left -= timeline
    guard = 1 if not ended and left >= 1 else 0
    left -= guard
    log = MIN_LOG if left >= (LOG_AFTER_END if ended else MIN_LOG) else 0
    left -= log
    gap = timeline_gap = guard_gap = extra = 0
    if log and left > 0:
        log, left = log + 1, left - 1
    if left > 0:
        gap, left = 1, left - 1
    if left > 0:
        extra, left = extra + 1, left - 1
    if left > 0:
        timeline_gap, left = 1, left - 1
    if guard + log and left > 0:
        guard_gap, left = 1, left - 1
    if log and left > 0:
        log, left = log + 1, left - 1
    if left > 0:
        extra, left = extra + 1, left - 1
    more = min(left // 2, MAX_CHART - MIN_CHART - extra) if log else left
    charts = max(0, min(MIN_CHART + extra + more, height - head))
    log = log + left - more if log else 0
    return RowShares(gap, charts, timeline_gap, timeline, guard_gap, guard, log)
