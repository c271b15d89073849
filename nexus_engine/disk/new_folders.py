"""Making the folder of a run or a sweep while another process may be making the same one.

The event log is created exclusively: the process that creates it owns the folder. Every other
process is refused and changes nothing.

A sweep needs more files than its log. Its creator locks the log until they are complete. So an
incomplete sweep whose log nobody locks was left by a killed creator, and is removed.
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
MAX_TRIES = 20
"""A creator that gives up removes its empty folder, perhaps just before another creates the log;
the other then makes the folder again."""
MAX_NAMES = 1000


def usable_path(out: Path) -> Path:
    """The absolute path that `--out` means.

    Raises:
        ConfigError: the home in the path is unknown, or the path holds a NUL character.
    """
    if "\0" in str(out):
        raise ConfigError("--out: a path cannot hold a NUL character")
    return user_path(out).absolute()


@contextlib.contextmanager
def claimed_folder(path: Path, kind: str = "nexus-events", *, instead: str) -> Iterator[None]:
    """Claim `path`, a missing or empty folder, for this process by creating its log.

    Make the rest of the folder inside the context: until it ends, no other process takes the folder
    for leftovers. `kind` is written in the log's first line. `instead` tells the user what else to
    do if the folder is taken.

    Raises:
        ConfigError: the folder is not empty, another process was faster, or it cannot be made.
        ResourceError: the disk is full.
    """
    handle = _claim(path, kind, instead)
    try:
        yield
    finally:
        os.close(handle)


def _claim(path: Path, kind: str, instead: str) -> int:
    """A descriptor of the new log, locked."""
    taken = ConfigError(
        f"--out {one_line(path)}: exists and is not an empty folder; name a new one, or {instead}"
    )
    for tries_left in reversed(range(MAX_TRIES)):
        try:
            filled = path.exists() and (not path.is_dir() or any(path.iterdir()))
            if filled and not _remove_leftovers(path):
                raise taken
            is_new = not path.exists()
            make_folder(path)
            return _create_log(path, kind, is_new)
        except FileExistsError:
            raise taken from None
        except FileNotFoundError as error:
            if tries_left == 0:
                raise _creation_error(path, error) from None
        except (OSError, ValueError) as error:
            raise _creation_error(path, error) from None
    raise taken


def _create_log(path: Path, kind: str, is_new: bool) -> int:
    """Create and lock the log, then write its first line; return its descriptor.

    On failure the folder is removed too if this process made it (`is_new`).
    """
    log = path / LOG_NAME
    try:
        handle = create_file(log)
    except OSError as error:
        if is_new and not isinstance(error, FileExistsError):
            with contextlib.suppress(OSError):  # another process may have created its log here
                os.rmdir(path)
        raise
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_all(handle, log_header(kind))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(log)
            if is_new:
                os.rmdir(path)
        os.close(handle)
        raise
    return handle


def _remove_leftovers(path: Path) -> bool:
    """Remove what the killed creator of a sweep left in `path`; False if `path` holds more.

    Leftovers are an unlocked log with its first line only, an empty folder `runs`, and temporary
    files of `sweep.json`.
    """
    if not path.is_dir():
        return False
    names = {entry.name for entry in path.iterdir()}
    temporaries = {name for name in names if name.startswith("sweep.json.tmp-")}
    if LOG_NAME not in names or names - temporaries - {LOG_NAME, "runs"}:
        return False
    log = path / LOG_NAME
    try:
        handle = open_regular(log, os.O_RDWR)
    except OSError:
        return False
    try:
        header = log_header(SWEEP_LOG)
        if os.pread(handle, len(header) + 1, 0) != header:
            return False
        # OSError if the creator lives, or if the file system has no locks.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(handle), os.stat(log)) or (path / "sweep.json").exists():
            return False
        if "runs" in names:
            os.rmdir(path / "runs")
        for name in temporaries:
            os.unlink(path / name)
        os.unlink(log)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def fresh_folder(root: Path, label: str, default_label: str) -> Path:
    """A new empty folder under `root`, named by the time and `label` (or `default_label`).

    Raises:
        ConfigError: the folder cannot be made.
        ResourceError: the disk is full.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    clean_label = re.sub(r"[^A-Za-z0-9._-]+", "-", label).strip("-.")[:60] or default_label
    path = root / f"{stamp}-{clean_label}"
    try:
        return _make_fresh(path)
    except OSError as error:
        raise _creation_error(path, error) from None


def _make_fresh(path: Path) -> Path:
    """Make `path`, or the first free `path`-N if another process was faster."""
    make_folder(path.parent)
    for number in range(1, MAX_NAMES):
        candidate = path if number == 1 else path.with_name(f"{path.name}-{number}")
        with contextlib.suppress(FileExistsError):
            os.mkdir(candidate, FOLDER_MODE)
            os.chmod(candidate, FOLDER_MODE)
            sync(candidate.parent)
            return candidate
    raise FileExistsError(errno.EEXIST, "no free name", str(path))


def _creation_error(path: Path, error: OSError | ValueError) -> NexusError:
    """The error to show the user when the folder `path` cannot be made."""
    reason = getattr(error, "strerror", None) or "not a usable path"
    if getattr(error, "errno", None) in OUT_OF_ROOM:
        return ResourceError(f"{one_line(path)}: {reason}; make room, or choose --out DIR")
    return ConfigError(f"{one_line(path)}: cannot make the folder ({reason}); choose --out DIR")
