"""Broken openings: each mutation takes away one safeguard against folders that strangers made."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from reliability import check_hostile
from reliability.mutating import Mutation, put

__all__ = ["HOSTILE_MUTATIONS"]


class _System:
    """`os` with some of its names changed."""

    def __init__(self, **changed: Any) -> None:
        self._changed = changed

    def __getattr__(self, name: str) -> Any:
        return self._changed[name] if name in self._changed else getattr(os, name)


def _links_followed() -> None:
    from nexus_engine.disk import regular_files

    put(regular_files, "os", _System(O_NOFOLLOW=0))


def _anything_opened() -> None:
    from nexus_engine.disk import regular_files

    class Blind:
        def __getattr__(self, name: str) -> Any:
            return (lambda mode: True) if name == "S_ISREG" else getattr(stat, name)

    put(regular_files, "os", _System(O_NONBLOCK=0))
    put(regular_files, "stat", Blind())
    put(check_hostile, "SECONDS", 1.0)


def _linked_folders_written() -> None:
    from nexus_engine.disk import files
    from nexus_engine.runs.folder import RunFolder

    put(files, "check_no_link", lambda path: None)
    put(RunFolder, "check_own_folders", lambda self: None)


def _numbers_believed() -> None:
    from nexus_engine.disk import named_folders

    put(named_folders, "read_json", lambda path: json.loads(path.read_bytes()))


def _any_weights() -> None:
    from nexus_engine.scoring import similarity

    put(similarity, "check_finite", lambda vectors, name: vectors)


def _check(kind: str, words: tuple[str, ...], commands: tuple[str, ...]) -> Any:
    def run(place: Path, name: str) -> Any:
        return check_hostile.chosen(place, kind, words, commands, name)

    return run


HOSTILE_MUTATIONS: dict[str, Mutation] = {
    "links followed": Mutation(
        "files are opened through links",
        _links_followed,
        _check("places", ("audit.jsonl", "link"), ("similarity",)),
        "the canary was changed",
    ),
    "anything opened": Mutation(
        "a FIFO is opened as a file",
        _anything_opened,
        _check("places", ("run.json", "FIFO"), ("runs show",)),
        "did not end",
    ),
    "linked folders": Mutation(
        "a folder of a run may be a link",
        _linked_folders_written,
        _check("places", ("checkpoints:", "link to a folder"), ("train --resume",)),
        "through a folder that is a link",
    ),
    "numbers believed": Mutation(
        "numbers of any size are believed",
        _numbers_believed,
        _check("numbers", ("run.json", "started_unix_s is 1000"), ("runs list", "app list")),
        "OverflowError",
    ),
    "any weights": Mutation(
        "embeddings need not be finite",
        _any_weights,
        _check("weights", ("3e37",), ("eval",)),
        "exit code 0, not 3",
    ),
}
