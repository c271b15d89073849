"""The kinds of file that hold pairs, told apart by name or, on stdin, by their first line."""

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
    """How the pairs of a file are written."""

    CSV = "csv"
    """Comma-separated, quoted by RFC 4180."""
    TSV = "tsv"
    """Tab-separated, with quotes as in CSV or none at all."""
    JSONL = "jsonl"
    """One JSON object or array a line."""
    PARQUET = "parquet"
    """Apache Parquet."""
    ARROW = "arrow"
    """An Arrow stream that the `datasets` library keeps; never a file that the user names."""


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
    """The kind that a file's name says, `.gz` after a text kind allowed; None when unknown."""
    path = PurePath(name)
    if path.suffix.lower() == ".gz":
        kind = SUFFIXES.get(PurePath(path.stem).suffix.lower())
        return None if kind is FileKind.PARQUET else kind
    return SUFFIXES.get(path.suffix.lower())


def stem_of_name(name: str) -> str:
    """A file's name without `.gz` and the suffix of its kind."""
    path = PurePath(name)
    return PurePath(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def kind_of_name(label: str, name: str) -> FileKind:
    """The kind that a file's name says; DataError, with the kinds there are, when it says none."""
    kind = known_kind(name)
    if kind is None:
        kinds = ".csv, .tsv, .jsonl (each also .gz) or .parquet"
        raise file_error(
            label, f"not a kind of file that is read here; its name must end in {kinds}"
        )
    return kind


def kind_of_stdin(source: Source) -> FileKind:
    """The kind that the first line of `source` looks like; CSV when nothing else fits."""
    if source.content[:4] == b"PAR1":
        return FileKind.PARQUET
    with closing(text_pieces(source)) as pieces:
        begun = next(pieces, "").strip()
        while len(begun) < 3 and (piece := next(pieces, "")):
            begun += piece.strip()
    # An array of pairs on any number of lines, and not a sentence in brackets.
    if re.match(r"\[\s*[\[{]\s*\"|\{\s*\"", begun):
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
