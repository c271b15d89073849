"""Count the files, bytes and lines that a SPEC means, without reading a pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nexus_engine.data.files.locating import locate
from nexus_engine.data.reading.sources import Source

__all__ = ["Glance", "glance", "glance_at"]

MAX_COUNTED_BYTES = 50_000_000
"""Lines are counted only in files of at most this size together."""
BLOCK_BYTES = 1 << 20
LINE_SUFFIXES = ("csv", "tsv", "jsonl")


class Glance(NamedTuple):
    """The size of the data that a SPEC means."""

    files: int
    size_bytes: int
    lines: int | None
    """None if the files are not made of lines, or too large to count them quickly."""


def glance(spec: str) -> Glance:
    """The size of the files that `spec` means.

    Raises DataError as loading would, for a file that is missing, unreadable or of unknown kind.
    """
    return glance_at([source for files in locate(spec).files.values() for source, _ in files])


def glance_at(sources: Sequence[Source]) -> Glance:
    """The size of these files. Raises DataError for one that is unreadable."""
    sizes = []
    for source in sources:
        with source.open() as file:
            sizes.append(file.seek(0, 2))
    have_lines = all(_has_lines(source.label) for source in sources)
    if not have_lines or sum(sizes) > MAX_COUNTED_BYTES:
        return Glance(len(sources), sum(sizes), None)
    lines = 0
    for source in sources:
        with source.open() as file:
            while block := file.read(BLOCK_BYTES):
                lines += block.count(b"\n")
    return Glance(len(sources), sum(sizes), lines)


def _has_lines(label: str) -> bool:
    return label.rstrip("'\"").lower().endswith(LINE_SUFFIXES)
