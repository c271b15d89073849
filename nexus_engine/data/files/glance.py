"""What a SPEC means at a glance: its files and their size, without reading a pair."""

from __future__ import annotations

from typing import NamedTuple

from nexus_engine.data.files.locating import locate

__all__ = ["Glance", "glance"]

COUNTED_BYTES = 50_000_000
"""Lines are counted in files up to this size together."""
BLOCK = 1 << 20
BY_LINE = ("csv", "tsv", "jsonl")


class Glance(NamedTuple):
    """`lines` is None where files are not lines, or too large to count them at a glance."""

    files: int
    size_bytes: int
    lines: int | None


def glance(spec: str) -> Glance:
    """The files that `spec` means.

    Raises:
        DataError: as loading it would, for what is missing, may not be read or is of no known kind.
    """
    sources = [source for files in locate(spec).files.values() for source, _ in files]
    sizes = []
    for source in sources:
        with source.open() as file:
            sizes.append(file.seek(0, 2))
    by_line = all(_is_by_line(source.label) for source in sources)
    if not by_line or sum(sizes) > COUNTED_BYTES:
        return Glance(len(sources), sum(sizes), None)
    lines = 0
    for source in sources:
        with source.open() as file:
            while block := file.read(BLOCK):
                lines += block.count(b"\n")
    return Glance(len(sources), sum(sizes), lines)


def _is_by_line(label: str) -> bool:
    return label.rstrip("'\"").lower().endswith(BY_LINE)
