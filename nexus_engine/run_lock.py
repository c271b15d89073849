"""The lock of a run folder: one process writes there, and others are told which.

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
from types import TracebackType
from typing import Self

from nexus_engine.errors import RunError, one_line
from nexus_engine.files import FILE_MODE, write_all

__all__ = ["LOCK_FILE", "RunLock", "is_held"]

LOCK_FILE = "lock"
PATIENCE_SECONDS = 0.5
"""Whoever asks whether a run is live holds a shared lock for an instant: try for this long."""
POLL_SECONDS = 0.02
LONGEST = 4096
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)
"""What a file system answers that knows no locks: a run there goes on unlocked."""


class RunLock:
    """A context manager that holds the lock of `folder`; one object may be entered repeatedly."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / LOCK_FILE
        self._handle: int | None = None
        self._depth = 0

    def __enter__(self) -> Self:
        if self._depth == 0:
            self._take()
        self._depth += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(self._path, flags, FILE_MODE)
        try:
            os.fchmod(handle, FILE_MODE)
            until = time.monotonic() + PATIENCE_SECONDS
            while not _try(handle, fcntl.LOCK_EX):
                if time.monotonic() > until:
                    holder = _holder(self._path)
                    raise RunError(
                        f"{one_line(self._folder.name, 100)}: is live, held by {holder}; "
                        "stop it first, or look on with `nexus runs show`"
                    )
                time.sleep(POLL_SECONDS)
            facts = {"pid": os.getpid(), "host": socket.gethostname(), "since_unix_s": time.time()}
            os.ftruncate(handle, 0)
            write_all(handle, (json.dumps(facts) + "\n").encode())
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle


def _try(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    return True


def _holder(path: Path) -> str:
    """Who holds the lock, in words; the file may be damaged or not yet written."""
    try:
        with path.open("rb") as file:
            facts = json.loads(file.read(LONGEST))
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(facts["since_unix_s"])))
        host = one_line(facts["host"], 60)
        return f"process {int(facts['pid'])} on {host} since {since}"
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return "another process"


def is_held(folder: Path) -> bool | None:
    """Whether some process holds the lock of `folder`; None where no lock was ever made."""
    try:
        handle = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return not _try(handle, fcntl.LOCK_SH)
    except OSError:
        return None
    finally:
        os.close(handle)
