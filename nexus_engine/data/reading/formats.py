"""Tell the kinds of data file apart, by name or, on stdin, by the first line."""

from __future__ import annotations

import json
import re
from contextlib import closing
from enum import StrEnum
from pathlib import PurePath

from nexus_engine.data.messages import file_error
from nexus_engine.data.reading.sources import Source
from nexus_engine.data.reading.text_lines import text_lines, text_pieces

__all__ = ["FileKind", "kind_of_name", "kind_of_stdin", "known_kind", "stem_of_name"]


class FileKind(StrEnum):
    """The format of a file of pairs."""

    CSV = "csv"
    """Comma-separated, quoted by RFC 4180."""
    TSV = "tsv"
    """Tab-separated, with or without the quotes of CSV."""
    JSONL = "jsonl"
    """JSON, an object or array for each pair."""
    PARQUET = "parquet"
    """Apache Parquet."""
    ARROW = "arrow"
    """An Arrow stream of the `datasets` library; never a file that the user names."""


SUFFIXES = {
    ".csv": FileKind.CSV,
    ".tsv": FileKind.TSV,
    ".tab": FileKind.TSV,
    ".jsonl": FileKind.JSONL,
    ".ndjson": FileKind.JSONL,
    ".json": FileKind.JSONL,
    ".parquet": FileKind.PARQUET,
    ".pq": FileKind.PARQUET,
}


def known_kind(name: str) -> FileKind | None:
    """The kind that a file's name means, with `.gz` allowed for text; None if it means none."""
    path = PurePath(name)
    if path.suffix.lower() == ".gz":
        kind = SUFFIXES.get(PurePath(path.stem).suffix.lower())
        return None if kind is FileKind.PARQUET else kind
    return SUFFIXES.get(path.suffix.lower())


def stem_of_name(name: str) -> str:
    """A file's name without `.gz` and without the suffix of its kind."""
    path = PurePath(name)
    return PurePath(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def kind_of_name(label: str, name: str) -> FileKind:
    """The kind that a file's name means; DataError, with the known kinds, if it means none."""
    kind = known_kind(name)
    if kind is None:
        kinds = ".csv, .tsv, .jsonl (each also .gz) or .parquet"
        raise file_error(label, f"not a known kind of file; its name must end in {kinds}")
    return kind


def kind_of_stdin(source: Source) -> FileKind:
    """The kind that the first line of `source` suggests; CSV if nothing else fits."""
    if source.content[:4] == b"PAR1":
        return FileKind.PARQUET
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
