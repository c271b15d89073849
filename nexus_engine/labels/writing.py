"""Writing a new file of labels whole or not at all, and why one cannot be written."""

from __future__ import annotations

import os
from pathlib import Path

from nexus_engine.disk.files import make_folder, replace_file, write_new
from nexus_engine.errors import DataError, NexusError, ResourceError
from nexus_engine.labels.reading import shown
from nexus_engine.system.ownership import owner_of
from nexus_engine.system.shortages import OUT_OF_ROOM
from nexus_engine.system.user_paths import user_path

__all__ = ["new_path", "not_written", "write_whole"]


def new_path(out: Path) -> Path:
    """The absolute path that `out` means, where nothing is yet.

    Raises:
        DataError: something is there.
    """
    path = user_path(out, DataError).absolute()
    try:
        is_there = os.path.lexists(path)
    except ValueError as error:
        raise not_written(path, error, "cannot be written", option="--out") from None
    if is_there:
        raise DataError(f"{shown(path)}: exists; name a new file with --out")
    return path


def write_whole(path: Path, content: bytes) -> None:
    """Write the new file `path`, mode 0600; a crash leaves all of it or nothing.

    Raises:
        DataError: it cannot be written.
        ResourceError: the disk is full.
    """
    try:
        if not path.parent.exists():
            make_folder(path.parent)
        replace_file(path, lambda new: write_new(new, content))
    except (OSError, ValueError) as error:
        raise not_written(path, error, "cannot be written", option="--out") from None


def not_written(
    path: Path, error: OSError | ValueError, what: str, *, option: str = "--labels"
) -> NexusError:
    """The error to show the user when the file `path` cannot be opened or written."""
    if isinstance(error, PermissionError):
        denied = Path(error.filename or path)
        where = "" if denied == path else f" in {shown(denied.parent)}"
        reason = f"{what}: this user may not write{where}; it belongs to {owner_of(denied)}"
        return DataError(f"{shown(path)}: {reason}; name another file with {option}")
    code = getattr(error, "errno", None)
    if code in OUT_OF_ROOM:
        reason = f"{what} ({os.strerror(code or 0)})"
        return ResourceError(f"{shown(path)}: {reason}; make room, then try again")
    reason = getattr(error, "strerror", None) or "not a usable path"
    return DataError(f"{shown(path)}: {what} ({reason}); name another file with {option}")
