"""Making the folder of a run or a sweep, where another process may be making the same one.

The event log is made exclusively: the process that makes it has the folder, for a run as for a
sweep. Every other process is refused and leaves what is there alone.

A sweep needs more than its log. Its creator holds a lock of the log file until the rest is there.
So what a killed creator left differs from what a living one is making, and hinders nobody.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from nexus_engine.disk.files import (
    FOLDER_MODE,
    create_file,
    make_folder,
    sync,
    write_all,
)
from nexus_engine.disk.growing_lines import log_header
from nexus_engine.disk.regular_files import open_regular
from nexus_engine.errors import ConfigError, NexusError, ResourceError, one_line
from nexus_engine.system.shortages import OUT_OF_ROOM
from nexus_engine.system.user_paths import user_path

__all__ = ["LOG_NAME", "SWEEP_LOG", "claimed_folder", "fresh_folder", "usable_path"]

LOG_NAME = "events.jsonl"
SWEEP_LOG = "nexus-sweep-events"
"""The kind in the first line of a sweep's log."""
TRIES = 20
"""Another creator that gives up takes its empty folder away, perhaps just before our log is made:
then the folder is made again."""
MAX_NAMES = 1000


def usable_path(out: Path) -> Path:
    """The absolute path that `--out` means.

    Raises:
        ConfigError: there is no such user's home, or the path holds a NUL character.
    """
    if "\0" in str(out):
        raise ConfigError("--out: a path cannot hold a NUL character")
    return user_path(out).absolute()


@contextlib.contextmanager
def claimed_folder(path: Path, kind: str = "nexus-events", *, instead: str) -> Iterator[None]:
    """Make `path`, which is missing or an empty folder, this process's own by making its log.

    Inside, the rest of the folder is made: no other process takes it for one that was left. `kind`
    stands in the log's first line. `instead` is what the user may do about a folder that is taken.

    Raises:
        ConfigError: it holds something, another process was faster, or it cannot be made.
        ResourceError: the disk is full.
    """
    handle = _claim(path, kind, instead)
    try:
        yield
    finally:
        os.close(handle)


def _claim(path: Path, kind: str, instead: str) -> int:
    """A handle of the new log, locked."""
    taken = ConfigError(
        f"--out {one_line(path)}: exists and is not an empty folder; name a new one, or {instead}"
    )
    for left in reversed(range(TRIES)):
        try:
            filled = path.exists() and (not path.is_dir() or any(path.iterdir()))
            if filled and not _clear_left(path):
                raise taken
            made = not path.exists()
            make_folder(path)
            return _begin(path, kind, made)
        except FileExistsError:
            raise taken from None
        except FileNotFoundError as error:
            if left == 0:
                raise cannot_make(path, error) from None
        except (OSError, ValueError) as error:
            raise cannot_make(path, error) from None
    raise taken


def _begin(path: Path, kind: str, made: bool) -> int:
    """Make the log; its handle. The lock is there before the first line is."""
    log = path / LOG_NAME
    try:
        handle = create_file(log)
    except OSError as error:
        if made and not isinstance(error, FileExistsError):
            with contextlib.suppress(OSError):  # holds another process's log by now
                os.rmdir(path)
        raise
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_all(handle, log_header(kind))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(log)
            if made:
                os.rmdir(path)
        os.close(handle)
        raise
    return handle


def _clear_left(path: Path) -> bool:
    """Take away what the killed creator of a sweep left in `path`; False where it is anything else.

    That is a log of its first line alone, which nobody holds, an empty folder `runs`, and what
    there is of a `sweep.json` that was still being written.
    """
    if not path.is_dir():
        return False
    names = {entry.name for entry in path.iterdir()}
    parts = {name for name in names if name.startswith("sweep.json.tmp-")}
    if LOG_NAME not in names or names - parts - {LOG_NAME, "runs"}:
        return False
    log = path / LOG_NAME
    try:
        handle = open_regular(log, os.O_RDWR)
    except OSError:
        return False
    try:
        first = log_header(SWEEP_LOG)
        if os.pread(handle, len(first) + 1, 0) != first:
            return False
        fcntl.flock(
            handle, fcntl.LOCK_EX | fcntl.LOCK_NB
        )  # its creator lives, or there are no locks
        if not os.path.samestat(os.fstat(handle), os.stat(log)) or (path / "sweep.json").exists():
            return False
        if "runs" in names:
            os.rmdir(path / "runs")
        for name in parts:
            os.unlink(path / name)
        os.unlink(log)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def fresh_folder(root: Path, label: str, otherwise: str) -> Path:
    """A new empty folder under `root`, named by the time and `label` (or `otherwise`).

    Raises:
        ConfigError: it cannot be made.
        ResourceError: the disk is full.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    clean = re.sub(r"[^A-Za-z0-9._-]+", "-", label).strip("-.")[:60] or otherwise
    path = root / f"{stamp}-{clean}"
    try:
        return _make_fresh(path)
    except OSError as error:
        raise cannot_make(path, error) from None


def _make_fresh(path: Path) -> Path:
    """Make `path`, or where another process was faster, the first free `path`-N."""
    make_folder(path.parent)
    for number in range(1, MAX_NAMES):
        candidate = path if number == 1 else path.with_name(f"{path.name}-{number}")
        with contextlib.suppress(FileExistsError):
            os.mkdir(candidate, FOLDER_MODE)
            os.chmod(candidate, FOLDER_MODE)
            sync(candidate.parent)
            return candidate
    raise FileExistsError(errno.EEXIST, "no free name", str(path))


def cannot_make(path: Path, error: OSError | ValueError) -> NexusError:
    """What the failure to make the folder at `path` means to the user."""
    reason = getattr(error, "strerror", None) or "not a usable path"
    if getattr(error, "errno", None) in OUT_OF_ROOM:
        return ResourceError(f"{one_line(path)}: {reason}; make room, or choose --out DIR")
    return ConfigError(f"{one_line(path)}: cannot make the folder ({reason}); choose --out DIR")
