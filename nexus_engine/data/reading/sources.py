"""Open the files that the user names without ever blocking, or say why they cannot be read."""

from __future__ import annotations

import difflib
import errno
import io
import os
import stat
import sys
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from nexus_engine.data.messages import file_error, shown_path
from nexus_engine.errors import DataError

__all__ = [
    "LFS_POINTER",
    "Source",
    "file_source",
    "lfs_pointer",
    "missing",
    "refused_access",
    "stdin_source",
]

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

LFS_POINTER = b"version https://git-lfs"
"""How the small file begins that stands for a large one in a repository cloned without Git LFS."""

MAX_LISTED_NAMES = 10_000
"""In the search for the name that a mistyped path meant."""


@dataclass(frozen=True, slots=True, repr=False)
class Source:
    """Bytes that can be read from the start any number of times: a regular file, or held input."""

    label: str
    """The printable name for messages."""
    path: Path | None
    """None if the bytes are held in `content`."""
    content: bytes = b""
    remarks: list[str] = field(default_factory=list, compare=False)
    """Notes on how the bytes were read, one line each, which readers add while they read."""

    def open(self) -> BinaryIO:
        """Open the bytes at their start; the caller closes. DataError if they cannot be read."""
        return io.BytesIO(self.content) if self.path is None else _open_regular(self.path)


def file_source(path: Path, label: str | None = None) -> Source:
    """The readable regular file at `path`; links are followed.

    Raises DataError for a path that does not exist, is unreadable, or is a folder, pipe, socket or
    device.
    """
    source = Source(label or shown_path(path), path)
    source.open().close()
    return source


def stdin_source() -> Source:
    """Standard input, read to its end: readers need it twice, and a pipe can be read only once."""
    return Source("stdin", None, sys.stdin.buffer.read())


def _open_regular(path: Path) -> BinaryIO:
    label = shown_path(path)
    # The status is checked first because opening a device can act on it. It is checked again after
    # the opening, which does not block, because the name may have come to mean a pipe in between.
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
    """The DataError for an error of the operating system on `path`."""
    label = shown_path(path)
    if isinstance(error, ValueError):  # a name with a NUL, or one that cannot be encoded
        return file_error(label, "is not a valid file name")
    if isinstance(error, FileNotFoundError):
        return missing(path)
    return file_error(label, REASONS.get(error.errno or 0, "cannot be read"))


def missing(path: Path) -> DataError:
    """The DataError for a path that does not exist, with the closest name in its folder."""
    label = shown_path(path)
    if path.is_symlink():
        return file_error(label, "is a symbolic link to something that does not exist")
    parent = path.parent
    try:
        with os.scandir(parent) as entries:
            names = [entry.name for entry in islice(entries, MAX_LISTED_NAMES)]
    except OSError:
        return file_error(label, f"does not exist; nor does the folder {shown_path(parent)}")
    matches = difflib.get_close_matches(path.name, names, n=1)
    advice = f"did you mean {shown_path(parent / matches[0])}?" if matches else "check the path"
    return file_error(label, f"does not exist; {advice}")


def lfs_pointer(label: str) -> DataError:
    """The DataError for a file that begins with LFS_POINTER."""
    reason = "is a pointer of Git LFS in the place of the data"
    return file_error(label, f"{reason}; fetch the data: git lfs pull")
