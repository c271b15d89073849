"""What a mutation of the engine is, and how it is put into a process and taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from reliability.outcome import Outcome

__all__ = ["MUTATIONS", "Mutation", "applied", "here", "put"]


class Mutation(NamedTuple):
    """`apply` breaks the engine in this process; `check` is what must fail then.

    With `inside` the check applies it in its children, which leaves the judge unbroken.
    """

    says: str
    apply: Callable[[], Any]
    check: Callable[[Path, str], Outcome]
    sign: str = ""
    """What a failure must say, so that one for another reason is not taken for this one."""


MUTATIONS: dict[str, Mutation] = {}
"""All of them, by name."""

_undo: list[Callable[[], None]] = []


def put(owner: Any, name: str, value: Any) -> None:
    """Replace an attribute until `applied` ends."""
    former = getattr(owner, name)
    setattr(owner, name, value)
    _undo.append(lambda: setattr(owner, name, former))


@contextmanager
def applied(name: str) -> Iterator[None]:
    """The mutation in this process, taken back at the end."""
    MUTATIONS[name].apply()
    try:
        yield
    finally:
        while _undo:
            _undo.pop()()


def here(check: Callable[[Path], Outcome]) -> Callable[[Path, str], Outcome]:
    """A check that runs in this process: the mutation is applied around it."""

    def run(place: Path, name: str) -> Outcome:
        with applied(name):
            return check(place)

    return run
