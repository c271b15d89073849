"""The hidden folder in which an export is written, beside OUT, and its lock.

One process at a time writes an export to a place. The kernel frees the lock when the process ends,
however it ends, so whoever takes it knows that what lies in the hidden folder belongs to nobody.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from nexus_engine.disk.files import make_folder
from nexus_engine.disk.lock import FileLock, holder_id
from nexus_engine.errors import one_line

__all__ = ["clear_killed", "clear_own", "hidden_folder", "is_own", "under_construction"]

HELD = "is being written by {holder}; wait until it ends, or name a new folder"


def hidden_folder(path: Path) -> Path:
    """The folder in which an export to `path` is written."""
    return path.with_name(f".{path.name}.export")


def _lock_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.export.lock")


def _lock(path: Path) -> FileLock:
    return FileLock(_lock_path(path), f"--out {one_line(path, 90)}", HELD, is_removed=True)


@contextlib.contextmanager
def under_construction(path: Path) -> Iterator[Path]:
    """The empty hidden folder for `path`, mode 0700. Rename it when it is complete.

    At the end it is removed where it was not renamed. What a killed process left is removed first.

    Raises:
        RunError: another process writes an export to `path`.
        OSError: the folder cannot be made.
    """
    folder = hidden_folder(path)
    with _lock(path):
        _remove(folder)
        make_folder(folder, inside_run=True)
        try:
            yield folder
        finally:
            _remove(folder)


def clear_killed(path: Path) -> None:
    """Remove what a killed export to `path` left.

    Raises:
        RunError: a process writes one now.
        OSError: it cannot be removed.
    """
    if any(map(os.path.lexists, (hidden_folder(path), _lock_path(path)))):
        with _lock(path):
            _remove(hidden_folder(path))


def clear_own(path: Path) -> None:
    """Remove what this process has written of its export to `path`, as it ends in the middle."""
    if is_own(path, os.getpid()):
        _remove(hidden_folder(path))
        _lock_path(path).unlink(missing_ok=True)


def is_own(path: Path, process: int) -> bool:
    """Whether the process with this id writes the export to `path`, or did when it was killed."""
    return holder_id(_lock_path(path)) == process


def _remove(folder: Path) -> None:
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
