"""Opening files in a folder that somebody else may have made.

A run, a sweep or a model can come from another user, another machine or a damaged disk. A name in
it may be a symbolic link to a file of yours, a FIFO that nobody writes to, a device without end, or
a file of any size and depth. So each file there is opened by the functions of this module: a
regular file, not a link, without waiting, and no more of it is read than its reader can use.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

__all__ = [
    "MAX_JSON_BYTES",
    "open_reader",
    "open_regular",
    "parse_json",
    "read_json",
    "read_regular",
]

MAX_JSON_BYTES = 16_000_000
"""Size of the largest JSON file that is read whole; a run.json has a few thousand bytes."""
MAX_INTEGER = 2**63
"""Integers beyond it fit no counter, size or time."""
NEW_FILE_MODE = 0o600


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of the regular file at `path`, opened with `flags` of `os.open`.

    A symbolic link in the last part of `path` is refused; a FIFO or a device is refused without
    waiting for it. With O_CREAT a new file is for the owner alone.

    Raises:
        OSError: it cannot be opened; ELOOP where it is a link, EINVAL where it is no regular file.
    """
    safe = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    handle = os.open(path, flags | safe, NEW_FILE_MODE)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
    except BaseException:
        os.close(handle)
        raise
    return handle


def open_reader(path: Path) -> BinaryIO:
    """The regular file at `path`, to read bytes from.

    Raises:
        OSError: as `open_regular`.
    """
    return os.fdopen(open_regular(path), "rb")


def read_regular(path: Path, max_bytes: int) -> bytes:
    """All bytes of the regular file at `path`, which has at most `max_bytes`.

    Raises:
        OSError: as `open_regular`; EFBIG where the file is larger.
    """
    with open_reader(path) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"larger than {max_bytes:,} bytes", str(path))
    return content


def read_json(path: Path, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """The JSON value in the regular file at `path`.

    Raises:
        OSError: as `read_regular`.
        ValueError: it is no JSON in UTF-8, is nested too deep, or holds an integer beyond 64 bits.
    """
    return parse_json(read_regular(path, max_bytes))


def parse_json(text: str | bytes) -> Any:
    """The JSON value that `text` is.

    Raises:
        ValueError: it is no JSON in UTF-8, is nested too deep, or holds an integer beyond 64 bits.
    """
    try:
        return json.loads(text, parse_int=_bounded_integer)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _bounded_integer(text: str) -> int:
    value = int(text)
    if not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise ValueError("an integer is beyond 64 bits")
    return value
