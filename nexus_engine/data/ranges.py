"""From the scores that stand in the files to 0..1."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nexus_engine.data.messages import file_error, row_error
from nexus_engine.data.reading.raw_pairs import RawPairs
from nexus_engine.errors import ConfigError, DataError

__all__ = ["ScoreRange", "checked_range", "found_range", "mapped_scores", "range_note"]

ScoreRange = tuple[float, float]

KNOWN_RANGES: tuple[ScoreRange, ...] = ((0, 1), (-1, 1), (0, 5), (0, 10), (0, 100))
"""Tried in this order; the first that holds every score is taken."""

SICK_NAMES = frozenset({"relatedness", "relatednessscore"})
"""SICK's name for its scores, which run from 1 to 5 where the STS Benchmark's run from 0 to 5.
The two cannot be told apart by the numbers when nobody gave the lowest mark."""

ASK = "give it with --score-range LOW,HIGH"
ASK_INSTEAD = "give the range of all with --score-range LOW,HIGH"


def checked_range(score_range: ScoreRange) -> ScoreRange:
    """`score_range` as floats; ConfigError unless LOW < HIGH and both are finite."""
    low, high = float(score_range[0]), float(score_range[1])
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError(f"score range {low:g},{high:g}: LOW must be below HIGH, both finite")
    return low, high


def found_range(splits: list[RawPairs]) -> ScoreRange:
    """The usual range that holds every score of the splits, whose first is train.

    Raises DataError when none does: for the first split that fits no range together with those
    before it.
    """
    fitting: ScoreRange | None = None
    low, high = math.inf, -math.inf
    for raw in splits:
        own_low, own_high = _extremes([raw])
        low, high = min(low, own_low), max(high, own_high)
        wider = _usual_range(low, high)
        if wider is None:
            raise _unusual(raw, fitting)
        fitting = wider
    if low >= 1 and high <= 5 and all(raw.score_name in SICK_NAMES for raw in splits):
        return (1.0, 5.0)
    assert fitting is not None
    return fitting


def _usual_range(low: float, high: float) -> ScoreRange | None:
    for bottom, top in KNOWN_RANGES:
        if bottom <= low and high <= top:
            return (float(bottom), float(top))
    return None


def _unusual(raw: RawPairs, fitting: ScoreRange | None) -> DataError:
    """The refusal of `raw`; `fitting` is the range of the splits before it, where there are any."""
    scores = _scores(raw)
    if fitting is not None:
        outside = (scores < fitting[0]) | (scores > fitting[1])
        at = int(outside.argmax())
        taken = f"{fitting[0]:g}..{fitting[1]:g}, the range of the files before this one"
        reason = f"the score {scores[at]:g} is outside {taken}; correct it, or {ASK_INSTEAD}"
        return row_error(raw.label, int(raw.rows[at]), reason)
    low, high = int(scores.argmin()), int(scores.argmax())
    span = f"{scores[low]:g} (row {raw.rows[low]}) to {scores[high]:g} (row {raw.rows[high]})"
    return file_error(raw.label, f"scores from {span} fit no usual range; {ASK}")


def range_note(splits: list[RawPairs], score_range: ScoreRange, *, given: bool) -> str:
    """One line on the scores found and the range that they are mapped from."""
    low, high = _extremes(splits)
    found = f"scores from {low:g} to {high:g}"
    taken = f"{score_range[0]:g}..{score_range[1]:g}"
    if given:
        return f"{found}, mapped from the range given, {taken}"
    # Ends that nobody reached may be no ends: 1..5 read as 0..5, 0..4 read as 0..5.
    ends_reached = (low, high) == score_range
    return f"{found}, taken as the range {taken}" + ("" if ends_reached else f"; if not, {ASK}")


def mapped_scores(raw: RawPairs, score_range: ScoreRange) -> NDArray[np.float32]:
    """The scores of `raw` (n,) as float32 in 0..1; DataError, with the row, for one outside."""
    scores = _scores(raw)
    low, high = score_range
    outside = (scores < low) | (scores > high)
    if outside.any():
        at = int(outside.argmax())
        reason = f"the score {scores[at]:g} is outside {low:g}..{high:g}; correct it, or the range"
        raise row_error(raw.label, int(raw.rows[at]), reason)
    return ((scores - low) / (high - low)).astype(np.float32)


def _extremes(splits: list[RawPairs]) -> ScoreRange:
    found = [_scores(raw) for raw in splits]
    return min(float(s.min()) for s in found), max(float(s.max()) for s in found)


def _scores(raw: RawPairs) -> NDArray[np.float64]:
    if raw.scores is None:
        raise DataError(f"{raw.label}: holds no scores")
    return raw.scores
