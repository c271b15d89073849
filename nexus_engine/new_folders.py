"""Making the folder of a run or a sweep, where another process may be making the same one.

The event log is made exclusively: the process that makes it has the folder, for a run as for a
sweep. Every other process is refused and leaves what is there alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from pathlib import Path

from nexus_engine.errors import ConfigError, NexusError, ResourceError, one_line
from nexus_engine.event_log import begin_log
from nexus_engine.files import FOLDER_MODE, OUT_OF_ROOM, make_folder, sync

__all__ = ["LOG_NAME", "claim_folder", "fresh_folder", "usable_path"]

LOG_NAME = "events.jsonl"
TRIES = 20
"""Another creator that gives up takes its empty folder away, perhaps just before our log is made:
then the folder is made again."""
MOST_NAMES = 1000


def usable_path(out: Path) -> Path:
    """The absolute path that `--out` means.

    Raises:
        ConfigError: there is no such user's home, or the path holds a NUL character.
    """
    if "\0" in str(out):
        raise ConfigError("--out: a path cannot hold a NUL character")
    try:
        return out.expanduser().absolute()
    except RuntimeError:
        raise ConfigError(
            f"--out {one_line(out)}: no home folder is known for that user; give a full path"
        ) from None


def claim_folder(path: Path, kind: str = "nexus-events", *, instead: str) -> None:
    """Make `path`, which is missing or an empty folder, this process's own by making its log.

    `kind` stands in the log's first line. `instead` is what the user may do about a folder that is
    taken.

    Raises:
        ConfigError: it holds something, another process was faster, or it cannot be made.
        ResourceError: the disk is full.
    """
    taken = ConfigError(
        f"--out {one_line(path)}: exists and is not an empty folder; name a new one, or {instead}"
    )
    for left in reversed(range(TRIES)):
        try:
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                raise taken
            made = not path.exists()
            make_folder(path)
            _begin(path, kind, made)
        except FileExistsError:
            raise taken from None
        except FileNotFoundError as error:
            if left == 0:
                raise cannot_make(path, error) from None
        except (OSError, ValueError) as error:
            raise cannot_make(path, error) from None
        else:
            return


def _begin(path: Path, kind: str, made: bool) -> None:
    try:
        begin_log(path / LOG_NAME, kind)
    except OSError as error:
        if made and not isinstance(error, FileExistsError):
            with contextlib.suppress(OSError):  # holds another process's log by now
                os.rmdir(path)
        raise


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
    for number in range(1, MOST_NAMES):
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
