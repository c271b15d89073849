"""When two texts count as the same."""

from __future__ import annotations

__all__ = ["folded"]


def folded(text: str) -> str:
    """`text` as it is compared: case folded, each run of white space one space."""
    return " ".join(text.casefold().split())
