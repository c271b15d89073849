"""Values as JSON text and back, safe for text from anyone.

JSON has no numbers that are not finite, so they are written as strings ("NaN"). Parsing bounds the
nesting depth and the size of integers.
"""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

__all__ = ["parse_json", "plain", "revive"]

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
MAX_INTEGER = 2**63
"""No counter, size or time is larger."""
MAX_DEPTH = 100
"""Nesting of lists and objects; files of NEXUS stay under ten. Readers may recurse this deep."""


def plain(value: Any) -> Any:
    """`value` as JSON types; floats that are not finite become strings such as "NaN"."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return plain(msgspec.to_builtins(value))
    return value


def revive(value: Any) -> Any:
    """The inverse of `plain` for numbers: "NaN" and the infinities become floats again."""
    if isinstance(value, str):
        return _NOT_FINITE.get(value, value)
    if isinstance(value, dict):
        return {key: revive(item) for key, item in value.items()}
    if isinstance(value, list):
        return [revive(item) for item in value]
    return value


def parse_json(text: str | bytes) -> Any:
    """The value of the JSON `text`.

    Raises:
        ValueError: the text is not JSON in UTF-8, is nested deeper than `MAX_DEPTH`, or holds an
            integer beyond 64 bits.
    """
    try:
        value = json.loads(text, parse_int=_bounded_integer)
    except RecursionError:
        raise ValueError("nested too deep") from None
    brackets: tuple[Any, Any] = (b"[", b"{") if isinstance(text, bytes) else ("[", "{")
    if sum(map(text.count, brackets)) > MAX_DEPTH:
        _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        if not inner:
            return
        level = inner
    raise ValueError("nested too deep")


def _bounded_integer(text: str) -> int:
    value = int(text)
    if not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise ValueError("an integer is beyond 64 bits")
    return value
