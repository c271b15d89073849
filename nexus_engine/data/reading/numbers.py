"""What counts as a number in a cell of text."""

from __future__ import annotations

import re

__all__ = ["is_comma_number", "is_number"]

# Python's float() would also take "1_000" and other scripts' digits, which are no scores.
NUMBER = re.compile(
    r"\s*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf(?:inity)?)\s*", re.ASCII | re.IGNORECASE
)

COMMA_NUMBER = re.compile(r"\s*[+-]?\d*,\d+\s*", re.ASCII)


def is_number(cell: str) -> bool:
    """Whether `cell` reads as a number; "nan" and "inf" do, so that they are refused as such."""
    return len(cell) <= 64 and NUMBER.fullmatch(cell) is not None


def is_comma_number(cell: str) -> bool:
    """Whether `cell` reads as a number with a comma where a point is needed."""
    return len(cell) <= 64 and COMMA_NUMBER.fullmatch(cell) is not None
