"""Which numbers an event may hold: what reads a log computes with them, whoever wrote it.

A number that is not finite is shown as it is, so it may stand wherever training can make one. A
finite one must be of a size that its unit can have.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import msgspec

__all__ = ["LARGEST_CORRELATION", "MOST_EPOCHS", "is_correlation", "out_of_range"]

LARGEST_CORRELATION = 1.000001
"""Rounding may take it beyond 1."""
MOST_EPOCHS = 1_000_000
"""A thousand times what `--epochs` takes."""
LARGEST_INTEGER = 2**63 - 1
LARGEST_MEASURE = 1e15
"""Seconds, MB and pairs per second."""
LAST_MOMENT = 1e11
"""Unix seconds: the year 5138."""
EPOCHS = frozenset(
    {"epoch", "epochs", "best_epoch", "epochs_per_pass", "switch", "switches", "switches_kept"}
)
CORRELATIONS = ("spearman", "pearson")
MEASURES = ("_seconds", "_mb", "_per_second")


def is_correlation(value: float) -> bool:
    """Whether `value` can be a correlation, or a broken one that is shown as it is."""
    return not math.isfinite(value) or abs(value) <= LARGEST_CORRELATION


@cache
def _largest(name: str) -> float:
    """The size of the largest finite number in the field `name`."""
    if name in EPOCHS:
        return MOST_EPOCHS
    if name.endswith("_unix_s"):
        return LAST_MOMENT
    if name.startswith("gain_"):
        return 2 * LARGEST_CORRELATION
    if name.endswith(CORRELATIONS):
        return LARGEST_CORRELATION
    return LARGEST_MEASURE if name.endswith(MEASURES) else math.inf


def out_of_range(value: msgspec.Struct) -> str:
    """The name of a field that no run can have written, of an event or a record in it; or ""."""
    for name in value.__struct_fields__:
        wrong = _wrong(name, getattr(value, name))
        if wrong:
            return wrong
    return ""


def _wrong(name: str, held: Any) -> str:
    if isinstance(held, tuple):
        return next(filter(None, map(out_of_range, held)), "")
    if isinstance(held, bool) or not isinstance(held, int | float):
        return ""
    largest = _largest(name)
    if isinstance(held, int):
        low = 0 if name in EPOCHS else -LARGEST_INTEGER
        return "" if low <= held <= min(largest, LARGEST_INTEGER) else name
    if math.isfinite(held):
        return "" if abs(held) <= largest else name
    return name if name.endswith("_unix_s") else ""
