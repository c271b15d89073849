"""Faults at the write side: each operation by which a process changes files, stopped or failed.

All durable writes of the engine go through these functions of `os` (`nexus_engine.disk.files`).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

CHANGING = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_RDWR
NAMES = (
    "open",
    "write",
    "fsync",
    "rename",
    "replace",
    "unlink",
    "rmdir",
    "mkdir",
    "chmod",
    "fchmod",
    "ftruncate",
    "symlink",
    "link",
)

Meet = Callable[[int, str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
"""(number from 1, name, the true function, its arguments) to what the call returns."""


@contextmanager
def operations(meet: Meet) -> Iterator[Callable[[], int]]:
    """While inside, `meet` stands in for each write-side operation; yields how many there were."""
    true = {name: getattr(os, name) for name in NAMES}
    done = 0

    def standing_in(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal done
            if name == "open" and not (arguments[1] if len(arguments) > 1 else 0) & CHANGING:
                return true[name](*arguments, **named)
            done += 1
            return meet(done, name, true[name], arguments, named)

        return call

    for name in NAMES:
        setattr(os, name, standing_in(name))
    try:
        yield lambda: done
    finally:
        for name, function in true.items():
            setattr(os, name, function)


def die() -> None:
    """As a power switch does: no handler, no cleaning up."""
    os.kill(os.getpid(), signal.SIGKILL)


def killing(at: int, how: str) -> Meet:
    """SIGKILL at operation `at`: "before" it, "half" into a write, or right "after" it."""

    def meet(number: int, name: str, true: Any, arguments: Any, named: Any) -> Any:
        if number != at:
            return true(*arguments, **named)
        if how == "half" and name == "write":
            true(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
        elif how == "after":
            true(*arguments, **named)
        return die()

    return meet


def failing(at: int, code: int, *, for_good: bool, half: bool = False) -> Meet:
    """OSError `code` at operation `at`, and with `for_good` at all later ones too.

    With `half` a write first takes half of its bytes, as on a disk that fills.
    """

    def meet(number: int, name: str, true: Any, arguments: Any, named: Any) -> Any:
        if number < at or (number > at and not for_good):
            return true(*arguments, **named)
        if half and number == at and name == "write" and len(arguments[1]) > 1:
            true(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
        where = arguments[0] if isinstance(arguments[0], str | bytes | os.PathLike) else None
        raise OSError(code, os.strerror(code), None if where is None else os.fspath(where))

    return meet
