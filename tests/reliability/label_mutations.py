"""Mutations of label files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from reliability import check_labels
from reliability.mutating import Mutation, here, put
from reliability.outcome import Outcome

__all__ = ["LABEL_MUTATIONS"]


def _not_pushed() -> None:
    from nexus_engine.labels import label_file

    made = label_file.append_to
    put(label_file, "append_to", lambda handle, line, *, sync: made(handle, line))


def _behind_a_torn_line() -> None:
    from nexus_engine.disk import growing_lines

    class Blind:
        def __getattr__(self, name: str) -> Any:
            return (lambda *given: b"\n") if name == "pread" else getattr(os, name)

    put(growing_lines, "os", Blind())


def _acknowledged_first() -> None:
    """A verdict is written by the next one."""
    from nexus_engine.labels.label_file import LabelFile

    made = LabelFile._append
    waiting: list[Any] = []

    def append(self: Any, act: Any) -> None:
        waiting.append(act)
        self._take_in(act)
        if len(waiting) > 1:
            made(self, waiting.pop(0))

    put(LabelFile, "_append", append)


def _half_stays() -> None:
    from nexus_engine.disk import growing_lines
    from nexus_engine.labels.label_file import LabelFile

    put(growing_lines, "_undo", lambda *given: None)
    put(LabelFile, "_take_off", lambda self, handle: None)


def _killed(place: Path, name: str) -> Outcome:
    return check_labels.killed(place, 9, name)


LABEL_MUTATIONS = {
    "labels, not pushed": Mutation(
        "a verdict is not pushed to the disk", _not_pushed, here(check_labels.cut_at_each_moment)
    ),
    "labels, torn line": Mutation(
        "a verdict is written behind a torn line", _behind_a_torn_line, _killed, "are not there"
    ),
    "labels, too soon": Mutation(
        "a verdict is acknowledged before it is written",
        _acknowledged_first,
        _killed,
        "are not there",
    ),
    "labels, failed act": Mutation(
        "what is left of an act that failed counts",
        _half_stays,
        here(check_labels.failed_at_each_operation),
        "that nobody gave",
    ),
}
