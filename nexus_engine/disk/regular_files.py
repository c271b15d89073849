"""Opening files in a folder that somebody else may have made.

A run, a sweep or a model can come from another user, another machine or a damaged disk. A name in
it may be a symbolic link to your own file, a FIFO without a writer, an endless device, or a file of
any size and nesting. These functions open only regular files, follow no link, never wait, and read
no more than the caller allows.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

from nexus_engine.disk.json_text import parse_json

__all__ = [
    "MAX_JSON_BYTES",
    "FileStamp",
    "check_no_link",
    "next_data",
    "open_reader",
    "open_regular",
    "read_json",
    "read_regular",
    "sha256_of",
    "size_of",
    "stamp_of",
]

MAX_JSON_BYTES = 16_000_000
"""Size limit of JSON files; a run.json has a few thousand bytes."""
NEW_FILE_MODE = 0o600


class FileStamp(NamedTuple):
    """Identifies one state of a file; it differs after a write or a replacement."""

    mtime_ns: int
    inode: int
    size: int


def stamp_of(path: Path, *, follow: bool = False) -> FileStamp | None:
    """The stamp of the file at `path`, of a link itself unless `follow`; None without a file."""
    try:
        status = os.stat(path, follow_symlinks=follow)
    except (OSError, ValueError):
        return None
    return FileStamp(status.st_mtime_ns, status.st_ino, status.st_size)


def open_regular(path: Path, flags: int = os.O_RDONLY, *, follow: bool = False) -> int:
    """A descriptor of the regular file at `path`, opened with `flags` of `os.open`.

    A symbolic link in the last part of `path`, a FIFO and a device are refused without waiting.
    With `follow` a link to a regular file is followed: use it for files that the user named and
    that are only read. O_CREAT makes a new file with mode 0600.

    Raises:
        OSError: the file cannot be opened; ELOOP for a link, EINVAL if it is not a regular file.
    """
    safe_flags = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    safe_flags |= 0 if follow else os.O_NOFOLLOW
    try:
        handle = os.open(path, flags | safe_flags, NEW_FILE_MODE)
    except OSError as error:
        if error.errno == errno.ELOOP and not follow:
            raise OSError(errno.ELOOP, "is a symbolic link", str(path)) from None
        if error.errno == errno.ENXIO:  # a FIFO without a reader, a socket
            raise OSError(errno.EINVAL, "not a regular file", str(path)) from None
        raise
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
    except BaseException:
        os.close(handle)
        raise
    return handle


def open_reader(path: Path, *, follow: bool = False) -> BufferedReader:
    """The regular file at `path`, open for reading bytes; `follow` as in `open_regular`.

    Raises:
        OSError: as `open_regular`.
    """
    return os.fdopen(open_regular(path, follow=follow), "rb")


def read_regular(path: Path, max_bytes: int, *, follow: bool = False) -> bytes:
    """All bytes, at most `max_bytes`, of the regular file at `path`.

    Raises:
        OSError: as `open_regular`; EFBIG if the file is larger.
    """
    with open_reader(path, follow=follow) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise _too_large(path, max_bytes)
    return content


def size_of(path: Path, *, follow: bool = False) -> int:
    """Bytes of the regular file at `path`.

    Raises:
        OSError: as `open_regular`.
    """
    with open_reader(path, follow=follow) as file:
        return os.fstat(file.fileno()).st_size


def sha256_of(path: Path, max_bytes: int, *, follow: bool = False) -> str:
    """SHA-256 of the bytes of the regular file at `path`, in hexadecimal.

    Raises:
        OSError: as `open_regular`; EFBIG, before anything is read, if the file has more than
            `max_bytes`.
    """
    with open_reader(path, follow=follow) as file:
        if os.fstat(file.fileno()).st_size > max_bytes:
            raise _too_large(path, max_bytes)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _too_large(path: Path, max_bytes: int) -> OSError:
    return OSError(errno.EFBIG, f"larger than {max_bytes:,} bytes", str(path))


def check_no_link(folder: Path) -> None:
    """Refuse a folder that is a symbolic link: writing or deleting in it changes files elsewhere.

    Raises:
        OSError: ELOOP if the folder is a link.
    """
    if folder.is_symlink():
        raise OSError(errno.ELOOP, "is a symbolic link, not a folder of the run", str(folder))


def next_data(handle: int, position: int) -> int:
    """The first stored byte at or after `position`; the file's size if only a hole follows.

    A hole in a file reads as zeros and takes no room on the disk, however large it is.
    """
    try:
        return max(position, os.lseek(handle, position, os.SEEK_DATA))
    except (AttributeError, OSError) as error:
        # ENXIO means a hole up to the end; other errors mean that holes cannot be found here.
        at_end = getattr(error, "errno", None) == errno.ENXIO
        return max(position, os.fstat(handle).st_size) if at_end else position


def read_json(path: Path, max_bytes: int = MAX_JSON_BYTES, *, follow: bool = False) -> Any:
    """The JSON value in the regular file at `path`.

    Raises:
        OSError: as `read_regular`.
        ValueError: as `parse_json`.
    """
    return parse_json(read_regular(path, max_bytes, follow=follow))
