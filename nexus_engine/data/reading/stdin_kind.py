"""Tell the kind of data on stdin by its first line."""

from __future__ import annotations

import json
import re
from contextlib import closing

from nexus_engine.data.reading.formats import FileKind, holds_labels
from nexus_engine.data.reading.sources import Source
from nexus_engine.data.reading.text_lines import text_lines, text_pieces

__all__ = ["kind_of_stdin"]


def kind_of_stdin(source: Source) -> FileKind:
    """The kind that the first line of `source` suggests; CSV if nothing else fits."""
    if source.content[:4] == b"PAR1":
        return FileKind.PARQUET
    if holds_labels(source):
        return FileKind.LABELS
    with closing(text_pieces(source)) as pieces:
        head = next(pieces, "").strip()
        while len(head) < 3 and (piece := next(pieces, "")):
            head += piece.strip()
    # This matches an array of pairs on any number of lines, but no sentence in brackets.
    if re.match(r"\[\s*[\[{]\s*\"|\{\s*\"", head):
        return FileKind.JSONL
    with closing(text_lines(source)) as lines:
        line = next(lines, "")
    if line.startswith("{") or (line.startswith("[") and _is_json(line)):
        return FileKind.JSONL
    return FileKind.TSV if "\t" in line else FileKind.CSV


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
