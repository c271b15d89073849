"""Writing files so that a crash leaves the old or the new content, never a torn one.

Every write that must survive goes through the functions here, and these through `os.open`,
`os.write`, `os.fsync`, `os.rename` and their like alone, so that the tests can stop, fail or replay
each one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nexus_engine.disk.json_text import plain
from nexus_engine.disk.regular_files import check_no_link

__all__ = [
    "FILE_MODE",
    "FOLDER_MODE",
    "create_file",
    "make_folder",
    "replace_file",
    "replace_json",
    "sync",
    "write_all",
    "write_json",
]

FOLDER_MODE = 0o700
FILE_MODE = 0o600
NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
"""What file systems answer that cannot push a folder to the disk (some network ones)."""


def make_folder(path: Path, *, inside_run: bool = False) -> None:
    """Make `path`, and the parents that are missing, for the owner alone and down to the disk.

    With `inside_run` the last part of `path` may not be a link: no run has one in its folder, and
    what is written or deleted there would be elsewhere.

    Raises:
        OSError: it cannot be made; ELOOP where it may not be a link, and is one.
    """
    if inside_run:
        check_no_link(path)
    missing = [place for place in (path, *path.parents) if not place.exists()]
    for place in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another process may be as fast
            os.mkdir(place, FOLDER_MODE)
        os.chmod(place, FOLDER_MODE)  # the umask may have taken more, never less is wanted
        with contextlib.suppress(PermissionError):  # a parent that may be entered but not read
            sync(place.parent)
    if not path.is_dir():
        raise FileExistsError(errno.EEXIST, "exists and is not a folder", str(path))
    if not missing:
        os.chmod(path, FOLDER_MODE)


def create_file(path: Path) -> int:
    """A handle to a new file, for the owner alone; one of that name must not exist."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    handle = os.open(path, flags, FILE_MODE)
    try:
        os.fchmod(handle, FILE_MODE)
    except BaseException:
        os.close(handle)
        raise
    return handle


def write_all(handle: int, content: bytes | memoryview) -> None:
    """Write all of `content`, however many calls that takes."""
    left = memoryview(content).cast("B")
    while left:
        left = left[os.write(handle, left) :]


def sync(path: Path) -> None:
    """Push a file's content, or a folder's list of names, to the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC or not path.is_dir():
            raise
    finally:
        os.close(handle)


def write_json(path: Path, value: Any) -> dict[str, Any]:
    """Write `value` as a new JSON file, down to the disk; its size in bytes and SHA-256."""
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, indent=1)
    content = (text + "\n").encode("utf-8", "replace")
    handle = create_file(path)
    try:
        write_all(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    return {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def replace_file(path: Path, write: Callable[[Path], Any]) -> Any:
    """Have `write` make a temporary file, pushed to the disk; put it in `path`'s place at once.

    One process at a time may do this for a path: a run's folder is locked.
    """
    for left in path.parent.glob(f"{path.name}.tmp-*"):  # by a process that was killed
        with contextlib.suppress(OSError):
            os.unlink(left)
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    try:
        result = write(temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    sync(path.parent)
    return result


def replace_json(path: Path, value: Any) -> None:
    """Put `value`, as JSON, in `path`'s place in one step."""
    replace_file(path, lambda temporary: write_json(temporary, value))
