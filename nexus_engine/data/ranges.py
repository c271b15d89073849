"""Infer the range of the scores in the files, and map them to 0..1."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nexus_engine.data.messages import file_error, row_error
from nexus_engine.data.reading.raw_pairs import RawPairs
from nexus_engine.errors import ConfigError, DataError

__all__ = ["ScoreRange", "checked_range", "inferred_range", "mapped_scores", "range_note"]

ScoreRange = tuple[float, float]

KNOWN_RANGES: tuple[ScoreRange, ...] = ((0, 1), (-1, 1), (0, 5), (0, 10), (0, 100))
"""Tried in this order; the first that contains every score is taken."""

SICK_NAMES = frozenset({"relatedness", "relatednessscore"})
"""The names of SICK's scores, which run from 1 to 5, whereas those of the STS Benchmark run from 0
to 5. The numbers alone cannot tell the two apart if nobody gave the lowest score."""

GIVE_RANGE = "give it with --score-range LOW,HIGH"
GIVE_COMMON_RANGE = "give the range of all files with --score-range LOW,HIGH"


def checked_range(score_range: ScoreRange) -> ScoreRange:
    """`score_range` as floats; ConfigError unless LOW < HIGH and both are finite."""
    low, high = float(score_range[0]), float(score_range[1])
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError(f"score range {low:g},{high:g}: LOW must be below HIGH, both finite")
    return low, high


def inferred_range(splits: list[RawPairs]) -> ScoreRange:
    """The known range that contains every score of the splits, of which train is the first.

    Raises DataError if there is none; it names the first split that fits no range together with the
    splits before it.
    """
    fitting: ScoreRange | None = None
    low, high = math.inf, -math.inf
    for raw in splits:
        own_low, own_high = _extremes([raw])
        low, high = min(low, own_low), max(high, own_high)
        wider = _known_range(low, high)
        if wider is None:
            raise _unfitting(raw, fitting)
        fitting = wider
    if low >= 1 and high <= 5 and all(raw.score_name in SICK_NAMES for raw in splits):
        return (1.0, 5.0)
    assert fitting is not None
    return fitting


def _known_range(low: float, high: float) -> ScoreRange | None:
    for bottom, top in KNOWN_RANGES:
        if bottom <= low and high <= top:
            return (float(bottom), float(top))
    return None


def _unfitting(raw: RawPairs, fitting: ScoreRange | None) -> DataError:
    """The refusal of `raw`; `fitting` is the range of the splits before it, if there are any."""
    scores = _scores(raw)
    if fitting is not None:
        outside = (scores < fitting[0]) | (scores > fitting[1])
        index = int(outside.argmax())
        shown = f"{fitting[0]:g}..{fitting[1]:g}, the range of the files before this one"
        reason = f"the score {scores[index]:g} is outside {shown}; correct it"
        return row_error(raw.label, int(raw.rows[index]), f"{reason}, or {GIVE_COMMON_RANGE}")
    low, high = int(scores.argmin()), int(scores.argmax())
    span = f"{scores[low]:g} (row {raw.rows[low]}) to {scores[high]:g} (row {raw.rows[high]})"
    return file_error(raw.label, f"scores from {span} fit no usual range; {GIVE_RANGE}")


def range_note(splits: list[RawPairs], score_range: ScoreRange, *, given: bool) -> str:
    """One line on the scores and the range that they are mapped from, `given` or inferred."""
    low, high = _extremes(splits)
    scores = f"scores from {low:g} to {high:g}"
    shown = f"{score_range[0]:g}..{score_range[1]:g}"
    if given:
        return f"{scores}, mapped from the given range {shown}"
    # If no score reaches an end, the scale may be another: 1..5 or 0..4, read as 0..5.
    advice = "" if (low, high) == score_range else f"; if not, {GIVE_RANGE}"
    return f"{scores}, taken as the range {shown}{advice}"


def mapped_scores(raw: RawPairs, score_range: ScoreRange) -> NDArray[np.float32]:
    """The scores of `raw` (n,) as float32 in 0..1; DataError with the row of one outside."""
    scores = _scores(raw)
    low, high = score_range
    outside = (scores < low) | (scores > high)
    if outside.any():
        index = int(outside.argmax())
        reason = f"the score {scores[index]:g} is outside {low:g}..{high:g}"
        raise row_error(raw.label, int(raw.rows[index]), f"{reason}; correct it, or the range")
    return ((scores - low) / (high - low)).astype(np.float32)


def _extremes(splits: list[RawPairs]) -> ScoreRange:
    columns = [_scores(raw) for raw in splits]
    return min(float(s.min()) for s in columns), max(float(s.max()) for s in columns)


def _scores(raw: RawPairs) -> NDArray[np.float64]:
    if raw.scores is None:
        raise DataError(f"{raw.label}: holds no scores")
    return raw.scores
