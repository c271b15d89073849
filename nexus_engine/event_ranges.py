"""The ranges of numbers in events, by the unit in their names."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import msgspec

__all__ = [
    "MAX_CORRELATION",
    "MAX_EPOCHS",
    "MAX_UNIX_SECONDS",
    "is_correlation",
    "out_of_range",
]

MAX_CORRELATION = 1.000001
"""Slightly above 1, since rounding may exceed it."""
MAX_EPOCHS = 1_000_000
"""A thousand times the limit of `--epochs`."""
MAX_INTEGER = 2**63 - 1
MAX_MEASURE = 1e15
"""For seconds, MB and pairs per second."""
MAX_UNIX_SECONDS = 1e11
"""Unix seconds: the year 5138."""
EPOCHS = frozenset(
    {"epoch", "epochs", "best_epoch", "epochs_per_pass", "switch", "switches", "switches_kept"}
)
CORRELATIONS = ("spearman", "pearson")
RANKINGS = ("ndcg_at_10", "mrr_at_10", "recall_at_1", "recall_at_10", "recall_at_100")
"""Means over questions, 0..1."""
BOUNDS = ("test_low", "test_high")
"""Of the interval of a mean over questions."""
MAX_WEIGHT = 1000
"""Of the rehearsal loss; ten times the limit of `--keep-general`."""
COUNTS = ("done", "total")
MEASURES = ("_seconds", "_mb", "_per_second")


# The ranges of numbers in events. Readers compute with them, whoever wrote the file. A number that
# is not finite is shown as it is; a finite one must lie in the range of its unit.


def is_correlation(value: float) -> bool:
    """Whether `value` is in the range of a correlation; one that is not finite passes."""
    return not math.isfinite(value) or abs(value) <= MAX_CORRELATION


@cache
def _max_size(name: str) -> float:
    """The largest absolute value that the field `name` may have."""
    if name in EPOCHS:
        return MAX_EPOCHS
    if name.endswith("_unix_s"):
        return MAX_UNIX_SECONDS
    if name.startswith("gain_"):
        return 2 * MAX_CORRELATION
    if name == "keep_weight":
        return MAX_WEIGHT
    if name in BOUNDS or _bare(name).endswith((*CORRELATIONS, *RANKINGS)):
        return MAX_CORRELATION
    return MAX_MEASURE if name.endswith(MEASURES) else math.inf


@cache
def _is_positive(name: str) -> bool:
    """Whether the field `name` has no negative values."""
    if name in EPOCHS or name in COUNTS or name == "keep_weight":
        return True
    return not name.startswith("gain_") and _bare(name).endswith(RANKINGS)


def _bare(name: str) -> str:
    """The name of a score without the moment of a switch."""
    return name.removesuffix("_before").removesuffix("_after")


def out_of_range(value: msgspec.Struct) -> str:
    """The first field out of range in an event, or in a record inside it; "" if there is none."""
    for name in value.__struct_fields__:
        field = _field_out_of_range(name, getattr(value, name))
        if field:
            return field
    return ""


def _field_out_of_range(name: str, value: Any) -> str:
    if isinstance(value, tuple):
        return next(filter(None, map(out_of_range, value)), "")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    max_size = _max_size(name)
    if isinstance(value, int):
        low = 0 if _is_positive(name) else -MAX_INTEGER
        return "" if low <= value <= min(max_size, MAX_INTEGER) else name
    if math.isfinite(value):
        least = 0.0 if _is_positive(name) else -max_size
        return "" if least <= value <= max_size else name
    return name if name.endswith("_unix_s") else ""
