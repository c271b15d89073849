"""Atomic writes: a crash leaves the old or the new content of a file, never a torn one.

Every write that must survive a crash goes through these functions. They call only `os.open`,
`os.write`, `os.fsync`, `os.rename` and the like, so that tests can stop, fail or replay each call.
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
    "write_new",
]

FOLDER_MODE = 0o700
FILE_MODE = 0o600
NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
"""Errors of file systems, such as some network ones, that cannot sync a folder."""


def make_folder(path: Path, *, inside_run: bool = False) -> None:
    """Make the folder `path` and its missing parents, with mode 0700, and sync them to the disk.

    With `inside_run` the last part of `path` may not be a symbolic link: a run makes none, and
    writes through a link would change files elsewhere.

    Raises:
        OSError: the folder cannot be made; ELOOP if it is a link and `inside_run` is set.
    """
    if inside_run:
        check_no_link(path)
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another process may have just made it
            os.mkdir(folder, FOLDER_MODE)
        os.chmod(folder, FOLDER_MODE)  # the umask may have cleared bits of the owner
        with contextlib.suppress(PermissionError):  # a parent may be searchable but not readable
            sync(folder.parent)
    if not path.is_dir():
        raise FileExistsError(errno.EEXIST, "exists and is not a folder", str(path))
    if not missing:
        os.chmod(path, FOLDER_MODE)


def create_file(path: Path) -> int:
    """Create a file with mode 0600 that must not exist yet; return its file descriptor."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    handle = os.open(path, flags, FILE_MODE)
    try:
        os.fchmod(handle, FILE_MODE)
    except BaseException:
        os.close(handle)
        os.unlink(path)
        raise
    return handle


def write_all(handle: int, content: bytes | memoryview) -> None:
    """Write all of `content`, in as many calls as that takes."""
    remaining = memoryview(content).cast("B")
    while remaining:
        remaining = remaining[os.write(handle, remaining) :]


def write_new(path: Path, content: bytes) -> None:
    """Write the new file `path`, mode 0600, and sync it.

    Raises:
        OSError: it exists, or cannot be written.
    """
    handle = create_file(path)
    try:
        write_all(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)


def sync(path: Path) -> None:
    """Sync a file's content, or a folder's entries, to the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC or not path.is_dir():
            raise
    finally:
        os.close(handle)


def write_json(path: Path, value: Any) -> dict[str, Any]:
    """Write `value` as a new JSON file and sync it; return its `size_bytes` and `sha256`."""
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, indent=1)
    content = (text + "\n").encode("utf-8", "replace")
    write_new(path, content)
    return {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def replace_file(path: Path, write: Callable[[Path], Any]) -> Any:
    """Let `write` make and sync a temporary file, then rename it to `path` in one step.

    Returns what `write` returns. Only one process at a time may do this for a path; the lock of a
    run's folder ensures that.
    """
    for leftover in path.parent.glob(f"{path.name}.tmp-*"):  # of a process that was killed
        with contextlib.suppress(OSError):
            os.unlink(leftover)
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
    """Replace the file `path` by `value` as JSON in one step."""
    replace_file(path, lambda temporary: write_json(temporary, value))
