"""Tell numbers from other text in a cell."""

from __future__ import annotations

import re

__all__ = ["is_comma_number", "is_number"]

MAX_CHARACTERS = 64

# Python's float() would also take "1_000" and the digits of other scripts, which are not scores.
NUMBER = re.compile(
    r"\s*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf(?:inity)?)\s*", re.ASCII | re.IGNORECASE
)

COMMA_NUMBER = re.compile(r"\s*[+-]?\d*,\d+\s*", re.ASCII)


def is_number(cell: str) -> bool:
    """Whether `cell` is a number; "nan" and "inf" are, so that a message can name them."""
    return len(cell) <= MAX_CHARACTERS and NUMBER.fullmatch(cell) is not None


def is_comma_number(cell: str) -> bool:
    """Whether `cell` is a number written with a decimal comma."""
    return len(cell) <= MAX_CHARACTERS and COMMA_NUMBER.fullmatch(cell) is not None
