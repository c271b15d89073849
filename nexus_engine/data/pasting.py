"""Pairs that were pasted as text: tab- or comma-separated lines, told apart from mere prose."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from nexus_engine.data import Pairs

__all__ = ["pasted_kind", "read_pasted"]

PASTED = "the pasted text"


def pasted_kind(text: str) -> Literal["tsv", "csv"] | None:
    """How the lines of `text` hold pairs; None when it is a sentence, wrapped or not.

    Two lines or more, every one with a tab; or every one with the same number of comma-separated
    cells, two or three. A wrapped sentence with a comma in each line and the same number of them
    is taken for pairs: give such text with tabs.
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
    """The pairs of `text`, read as a file of that kind is.

    Raises:
        DataError: with the line and the reason, for what cannot be used.
    """
    from nexus_engine.data.reading.formats import FileKind
    from nexus_engine.data.reading.sources import Source
    from nexus_engine.data.scored import as_unscored

    lines = [line for line in text.splitlines() if line.strip()]
    content = "\n".join(lines).encode("utf-8", "replace")
    return as_unscored(Source(PASTED, None, content), FileKind(kind))
