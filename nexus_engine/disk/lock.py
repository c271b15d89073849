"""Locks of a folder or a file: one process writes there, and others learn which.

The kernel releases the lock (`flock`) when the process ends, however it ends. So the lock of a
killed process is free at once, and a later process with the same id does not hold it. The content
of the lock file only names the holder.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
from pathlib import Path
from typing import Self

from nexus_engine.disk.files import FILE_MODE, write_all
from nexus_engine.disk.regular_files import open_regular, read_regular
from nexus_engine.errors import RunError, one_line

__all__ = ["LOCK_FILE", "FileLock", "RunLock", "holder_id", "is_held"]

LOCK_FILE = "lock"
PATIENCE_SECONDS = 0.5
"""Time to retry: `is_held` holds a shared lock for an instant."""
POLL_SECONDS = 0.02
MAX_LOCK_FILE_BYTES = 4096
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)
"""Errors of file systems without locks; runs there work unlocked."""
RUN_IS_HELD = "is live, held by {holder}; stop it first, or see it with `nexus runs show`"


class FileLock:
    """A context manager that holds the lock file `path`; an object may be entered repeatedly.

    `name` is what the lock is of, and `held_message` the error for another process; `{holder}` in
    it names the holder. With `is_removed` nothing is left of the file when the lock is released.
    """

    def __init__(
        self, path: Path, name: str, held_message: str, *, is_removed: bool = False
    ) -> None:
        self._path = path
        self._name = name
        self._held_message = held_message
        self._is_removed = is_removed
        self._handle: int | None = None
        self._depth = 0

    def __enter__(self) -> Self:
        if self._depth == 0:
            self._take()
        self._depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0 and self._handle is not None:
            handle, self._handle = self._handle, None
            self._release(handle)

    def _release(self, handle: int) -> None:
        with contextlib.suppress(OSError):
            if self._is_removed:
                os.unlink(self._path)
            else:
                os.ftruncate(handle, 0)
        os.close(handle)

    def _take(self) -> None:
        """Take the lock and write the holder into the file.

        Raises:
            RunError: another process, or another session of this process, holds the lock.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (handle := self._open_locked(deadline)) is None:
            pass
        try:
            facts = {"pid": os.getpid(), "host": socket.gethostname(), "since_unix_s": time.time()}
            os.ftruncate(handle, 0)
            write_all(handle, (json.dumps(facts) + "\n").encode())
        except BaseException:
            self._release(handle)
            raise
        self._handle = handle

    def _open_locked(self, deadline: float) -> int | None:
        """A descriptor of the locked file; None if the file was removed in the meantime."""
        handle = open_regular(self._path, os.O_RDWR | os.O_CREAT)
        try:
            os.fchmod(handle, FILE_MODE)
            while _try_lock(handle, fcntl.LOCK_EX) is False:
                if time.monotonic() > deadline:
                    message = self._held_message.format(holder=_holder(self._path))
                    raise RunError(f"{one_line(self._name, 100)}: {message}")
                time.sleep(POLL_SECONDS)
            if _is_at(handle, self._path):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        return None


class RunLock(FileLock):
    """The lock of the folder of a run, a sweep or an index, in its file `lock`."""

    def __init__(self, folder: Path, held_message: str = RUN_IS_HELD) -> None:
        super().__init__(folder / LOCK_FILE, folder.name, held_message)


def _try_lock(handle: int, operation: int) -> bool | None:
    """Take the lock if it is free; return whether it was, or None without locks on this disk."""
    try:
        fcntl.flock(handle, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return None
    return True


def _is_at(handle: int, path: Path) -> bool:
    """Whether the open file is the one at `path`; the lock of a removed file protects nothing."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(status, os.fstat(handle))


def _holder(path: Path) -> str:
    """The holder of the lock in words; the file may be damaged or not yet written."""
    try:
        facts = json.loads(read_regular(path, MAX_LOCK_FILE_BYTES))
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(facts["since_unix_s"])))
        host = one_line(facts["host"], 60)
        return f"process {one_line(int(facts['pid']), 20)} on {host} since {since}"
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return "another process"


def holder_id(path: Path) -> int | None:
    """The id of the process that the lock file `path` names; it may have ended. None if none."""
    try:
        return int(json.loads(read_regular(path, MAX_LOCK_FILE_BYTES))["pid"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def is_held(folder: Path) -> bool | None:
    """Whether some process holds the lock of `folder`.

    None if there is no lock file or the file system has no locks.
    """
    try:
        handle = open_regular(folder / LOCK_FILE)
    except OSError:
        return None
    try:
        is_free = _try_lock(handle, fcntl.LOCK_SH)
        return None if is_free is None else not is_free
    except OSError:
        return None
    finally:
        os.close(handle)
