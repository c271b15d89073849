"""The lock of a run's or a sweep's folder: one process writes there, and others are told which.

The kernel holds the lock (`flock`) and lets go of it when the process ends, however it ends. So a
killed holder's lock is free at once, and a process that got the killed one's id later holds
nothing. The file's content only names the holder; it is never taken for the lock itself.
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

__all__ = ["LOCK_FILE", "RunLock", "is_held"]

LOCK_FILE = "lock"
PATIENCE_SECONDS = 0.5
"""Whoever asks whether a run is live holds a shared lock for an instant: try for this long."""
POLL_SECONDS = 0.02
LONGEST = 4096
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)
"""What a file system answers that knows no locks: a run there goes on unlocked."""
RUN_IS_HELD = "is live, held by {holder}; stop it first, or look on with `nexus runs show`"


class RunLock:
    """A context manager that holds the lock of `folder`; one object may be entered repeatedly.

    `told` is what another process is told of the folder, with `{holder}` in it.
    """

    def __init__(self, folder: Path, told: str = RUN_IS_HELD) -> None:
        self._folder = folder
        self._told = told
        self._path = folder / LOCK_FILE
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
            with contextlib.suppress(OSError):
                os.ftruncate(handle, 0)
            os.close(handle)

    def _take(self) -> None:
        """Take the lock and write who holds it.

        Raises:
            RunError: another process, or another session of this one, holds it.
        """
        until = time.monotonic() + PATIENCE_SECONDS
        while (handle := self._open_locked(until)) is None:
            pass
        try:
            facts = {"pid": os.getpid(), "host": socket.gethostname(), "since_unix_s": time.time()}
            os.ftruncate(handle, 0)
            write_all(handle, (json.dumps(facts) + "\n").encode())
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle

    def _open_locked(self, until: float) -> int | None:
        """A handle of the file, locked; None where the file was removed while we waited for it."""
        handle = open_regular(self._path, os.O_RDWR | os.O_CREAT)
        try:
            os.fchmod(handle, FILE_MODE)
            while not _try(handle, fcntl.LOCK_EX):
                if time.monotonic() > until:
                    told = self._told.format(holder=_holder(self._path))
                    raise RunError(f"{one_line(self._folder.name, 100)}: {told}")
                time.sleep(POLL_SECONDS)
            if _is_at(handle, self._path):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        return None


def _try(handle: int, kind: int) -> bool:
    """Whether nobody else holds the lock; it is now held, where the file system knows locks."""
    return _lock(handle, kind) is not False


def _lock(handle: int, kind: int) -> bool | None:
    """Whether the lock was free and is now held; None where the file system knows no locks."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return None
    return True


def _is_at(handle: int, path: Path) -> bool:
    """Whether the open file is the one at `path`: the lock of a removed file keeps nobody out."""
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(handle))


def _holder(path: Path) -> str:
    """Who holds the lock, in words; the file may be damaged or not yet written."""
    try:
        facts = json.loads(read_regular(path, LONGEST))
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(facts["since_unix_s"])))
        host = one_line(facts["host"], 60)
        return f"process {one_line(int(facts['pid']), 20)} on {host} since {since}"
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return "another process"


def is_held(folder: Path) -> bool | None:
    """Whether some process holds the lock of `folder`.

    None where no lock was ever made, or where the file system knows no locks.
    """
    try:
        handle = open_regular(folder / LOCK_FILE)
    except OSError:
        return None
    try:
        free = _lock(handle, fcntl.LOCK_SH)
        return None if free is None else not free
    except OSError:
        return None
    finally:
        os.close(handle)
