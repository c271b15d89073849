"""Writing files so that a crash leaves the old or the new content, never a torn one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nexus_engine.events import plain

__all__ = [
    "FILE_MODE",
    "FOLDER_MODE",
    "make_folder",
    "replace_file",
    "replace_json",
    "sha256_of",
    "sync",
    "write_json",
]

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def make_folder(path: Path) -> None:
    """Make `path`, and its parents, for the owner alone."""
    path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    path.chmod(FOLDER_MODE)  # the umask may have taken more, never less is wanted


def sync(path: Path) -> None:
    """Push a file's or folder's content to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON, for the owner alone, down to the disk. Not atomic by itself."""
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, indent=1)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), FILE_MODE)
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_file(path: Path, write: Callable[[Path], Any]) -> Any:
    """Have `write` fill a temporary file, then put it in `path`'s place in one step."""
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    try:
        result = write(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)
    return result


def replace_json(path: Path, value: Any) -> None:
    """Put `value`, as JSON, in `path`'s place in one step."""
    replace_file(path, lambda temporary: write_json(temporary, value))
