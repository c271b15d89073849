"""Tell the kinds of data file apart: by name, and a label file by its first line."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePath

from nexus_engine.data.messages import file_error
from nexus_engine.data.reading.compression import PACKED_SUFFIXES, member_name
from nexus_engine.data.reading.sources import Source
from nexus_engine.labels.lines import MAX_HEADER_BYTES, is_header

__all__ = ["FileKind", "holds_labels", "is_data_name", "kind_of_file", "known_kind", "stem_of_name"]


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
    LABELS = "labels"
    """A label file of NEXUS, told by its first line."""


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


def is_data_name(name: str) -> bool:
    """Whether a file's name means data that is not packed."""
    return PurePath(name).suffix.lower() in SUFFIXES


def known_kind(name: str) -> FileKind | None:
    """The kind that a file's name means, also of packed text (`.csv.gz`); None if it means none."""
    path = PurePath(name)
    if path.suffix.lower() in PACKED_SUFFIXES:
        return _known_text(path.stem)
    return SUFFIXES.get(path.suffix.lower())


def _known_text(name: str) -> FileKind | None:
    """The kind of a file of text, not packed, that its name means; None if it means none."""
    kind = SUFFIXES.get(PurePath(name).suffix.lower())
    return None if kind is FileKind.PARQUET else kind


def stem_of_name(name: str) -> str:
    """A file's name without the suffixes of its packing and of its kind."""
    path = PurePath(name)
    is_packed = path.suffix.lower() in PACKED_SUFFIXES and _known_text(path.stem) is not None
    return PurePath(path.stem).stem if is_packed else path.stem


def holds_labels(source: Source) -> bool:
    """Whether the first line of `source` says that it is a label file."""
    with source.open() as file:
        return is_header(file.readline(MAX_HEADER_BYTES))


def kind_of_file(source: Source, name: str) -> FileKind:
    """The kind that a file's name means or, in a zip file, that of the one data file in it.

    A label file is told by its first line, whatever its name.

    Raises DataError, with the known kinds, if the name means none.
    """
    kind = known_kind(name)
    if kind in (FileKind.JSONL, None) and holds_labels(source):
        return FileKind.LABELS
    if PurePath(name).suffix.lower() == ".zip":
        with source.open() as file:
            kind = SUFFIXES[PurePath(member_name(source.label, file, is_data_name)).suffix.lower()]
        if kind is FileKind.PARQUET:
            raise file_error(source.label, "holds a Parquet file, which is packed twice; unpack it")
    if kind is None:
        kinds = ".csv, .tsv, .jsonl (each also .gz, .bz2, .xz or .zip) or .parquet"
        raise file_error(source.label, f"not a known kind of file; its name must end in {kinds}")
    return kind
