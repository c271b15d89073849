"""Read pasted text: tab- or comma-separated pairs, told apart from prose."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from nexus_engine.data import Pairs

__all__ = ["pasted_kind", "read_pasted"]

PASTED = "the pasted text"


def pasted_kind(text: str) -> Literal["tsv", "csv"] | None:
    """How the lines of `text` separate pairs; None for prose, wrapped or not.

    Pairs take at least two lines, which all hold a tab or all have the same number of
    comma-separated cells, two or three. Wrapped prose with one or two commas in every line is
    mistaken for pairs; pairs separated by tabs are never in doubt.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        return None
    if all("\t" in line.strip() for line in lines):
        return "tsv"
    try:
        widths = {len(row) for row in csv.reader(lines, strict=True)}
    except csv.Error:
        return None
    return "csv" if widths in ({2}, {3}) else None


def read_pasted(text: str, kind: Literal["tsv", "csv"]) -> Pairs:
    """Read the pairs of `text` like a file of that kind.

    Raises DataError with the line and the reason for text that cannot be used.
    """
    from nexus_engine.data.reading.formats import FileKind
    from nexus_engine.data.reading.sources import Source
    from nexus_engine.data.scored import as_unscored

    lines = [line for line in text.splitlines() if line.strip()]
    content = "\n".join(lines).encode("utf-8", "replace")
    return as_unscored(Source(PASTED, None, content), FileKind(kind))
