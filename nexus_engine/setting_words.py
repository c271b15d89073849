"""What a setting takes, in words, by its type. Pure."""

from __future__ import annotations

import difflib
import types
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from nexus_engine.errors import one_line

__all__ = ["shown_value", "takes", "wrong_value"]


def takes(kind: Any) -> str:
    """What a value of the type `kind` is to be, such as "a whole number"."""
    kind = _known(kind)
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    if get_origin(kind) is tuple:
        parts = [part for part in get_args(kind) if part is not Ellipsis]
        if len(parts) == 2 and Ellipsis not in get_args(kind):
            return "two numbers, as [0, 5]"
        if get_origin(_known(parts[0])) is Literal:
            return f"a list of {', '.join(map(str, get_args(_known(parts[0]))))}"
        return "a list of whole numbers, as [0, 2]"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}
    return words.get(kind, "another value")


def wrong_value(name: str, value: object, kind: Any) -> str | None:
    """What is wrong with `value` for the setting `name` of the type `kind`; None: nothing."""
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError):
        return f"{name} is {shown_value(value)}: give {takes(kind)}{_nearest(value, kind)}"
    return None


def shown_value(value: object) -> str:
    """A value from a file as it would stand there, short."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        # Python refuses to write thousands of digits, and nobody reads them.
        return str(value) if abs(value) < 10**40 else "a number of more than 40 digits"
    if isinstance(value, str):
        return f'"{one_line(value, 40)}"'
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return f"[{', '.join(shown_value(item) for item in value[:4])}{', …' * (len(value) > 4)}]"
    return one_line(value, 40)


def _known(kind: Any) -> Any:
    """The type without its None, which stands for what was not said."""
    if get_origin(kind) in (Union, types.UnionType):
        return next(part for part in get_args(kind) if part is not type(None))
    return kind


def _nearest(value: object, kind: Any) -> str:
    choices = get_args(_known(kind)) if get_origin(_known(kind)) is Literal else ()
    near = difflib.get_close_matches(str(value), choices, n=1) if isinstance(value, str) else []
    return f"; did you mean {near[0]}?" if near else ""
