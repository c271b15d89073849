"""Opening what the user named without ever blocking on it, and saying why when it cannot be."""

from __future__ import annotations

import difflib
import errno
import io
import os
import stat
import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from nexus_engine.data.messages import file_error, shown_path
from nexus_engine.errors import DataError

__all__ = ["Source", "file_source", "missing", "refused_access", "stdin_source"]

KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

REASONS = {
    errno.EACCES: "no permission to read it",
    errno.EPERM: "no permission to read it",
    errno.ELOOP: "is a loop of symbolic links",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENOTDIR: "a part of the path is not a folder",
    errno.EIO: "the disk reports a read error",
    errno.ENXIO: "is a socket or a device without a driver, not a regular file",
}

LISTED_NAMES = 10_000
"""Names looked at when guessing what a mistyped path meant."""


@dataclass(frozen=True, slots=True, repr=False)
class Source:
    """Bytes that can be read from the start as often as needed: a regular file, or stdin held."""

    label: str
    """The name for messages, made printable."""
    path: Path | None
    """None when `content` is held in memory."""
    content: bytes = b""

    def open(self) -> BinaryIO:
        """The bytes from the start; the caller closes. DataError when they cannot be had."""
        return io.BytesIO(self.content) if self.path is None else _open_regular(self.path)


def file_source(path: Path, label: str | None = None) -> Source:
    """The file at `path`, checked to be a readable regular file.

    Raises DataError for what does not exist, may not be read, or is a folder, pipe, socket or
    device; links are followed.
    """
    source = Source(label or shown_path(path), path)
    source.open().close()
    return source


def stdin_source() -> Source:
    """Standard input, read to its end: a pipe can be read only once and readers need it twice."""
    return Source("stdin", None, sys.stdin.buffer.read())


def _open_regular(path: Path) -> BinaryIO:
    label = shown_path(path)
    # Looked at first because opening a device can act on it; opened without blocking and looked
    # at again because the name may have come to mean a pipe in between.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
    try:
        _refuse_irregular(os.stat(path), label)
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        raise refused_access(path, error) from None
    file = os.fdopen(descriptor, "rb")
    try:
        _refuse_irregular(os.fstat(descriptor), label)
    except DataError:
        file.close()
        raise
    return file


def _refuse_irregular(status: os.stat_result, label: str) -> None:
    for is_kind, name in KINDS:
        if is_kind(status.st_mode):
            raise file_error(label, f"is {name}; give a regular file of pairs")


def refused_access(path: Path, error: OSError | ValueError) -> DataError:
    """The DataError for what the operating system said about `path`."""
    label = shown_path(path)
    if isinstance(error, ValueError):  # a NUL in the name, or one that has no encoding
        return file_error(label, "is not a name that a file can have")
    if isinstance(error, FileNotFoundError):
        return missing(path)
    return file_error(label, REASONS.get(error.errno or 0, "cannot be read"))


def missing(path: Path) -> DataError:
    """The DataError for a path that does not exist, with the closest name that does."""
    label = shown_path(path)
    if path.is_symlink():
        return file_error(label, "is a symbolic link to something that does not exist")
    parent = path.parent
    try:
        with os.scandir(parent) as entries:
            names = [entry.name for entry in islice(entries, LISTED_NAMES)]
    except OSError:
        return file_error(label, f"does not exist; nor does the folder {shown_path(parent)}")
    close = difflib.get_close_matches(path.name, names, n=1)
    hint = f"; did you mean {shown_path(parent / close[0])}?" if close else "; check the path"
    return file_error(label, f"does not exist{hint}")
