"""How the live screen divides its rows among its parts."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["split_rows"]

MIN_CHART, MAX_CHART = 5, 12
LEAST_CHART = 3
"""Fewer rows would hold a chart's title and no plot."""
TIMELINE = 4
MIN_LOG = 2
LOG_AFTER_END = 12
"""Rows that must be left before an ended run shows its log."""


class RowShares(NamedTuple):
    """Rows of each part, 0 if it is left out; gaps are blank rows above a part."""

    gap: int
    charts: int
    timeline_gap: int
    timeline: int
    guard_gap: int
    guard: int
    log: int


def split_rows(height: int, head: int, *, ended: bool) -> RowShares:
    """Divide a column of `height` rows among the parts below the head of `head` rows.

    When rows are short, the least important go first: blank rows, the log, the guard (the result of
    an ended run contains it), the timeline.
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
    chart_share = min(left // 2, MAX_CHART - MIN_CHART - extra) if log else left
    charts = max(0, min(MIN_CHART + extra + chart_share, height - head))
    log = log + left - chart_share if log else 0
    if charts < LEAST_CHART:
        charts = 0
    return RowShares(gap, charts, timeline_gap, timeline, guard_gap, guard, log)
