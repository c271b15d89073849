"""The folders of runs and of sweeps under their root: named, listed, described, and `latest`.

A run and a sweep are each a folder with a description in JSON, made in a root of their kind. What
is the same for both stands here, so that neither knows more than the other of links, of damaged
files and of folders that this user may not read.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from nexus_engine.disk.regular_files import read_json
from nexus_engine.errors import ConfigError, RunError, one_line
from nexus_engine.system.ownership import may_not_read, not_permitted
from nexus_engine.system.user_paths import user_path

__all__ = [
    "LATEST",
    "FolderKind",
    "NoSuchFolderError",
    "find_folder",
    "point_latest",
    "read_description",
    "read_listed",
]

T = TypeVar("T")

LATEST = "latest"
"""The link that stands for the newest run or sweep."""
NAME_RULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class FolderKind(NamedTuple):
    """What a kind of folder is called (`noun`), and the file in it that describes it.

    `start` is the command that makes the first one; `advice` ends the message that there is none
    of a name.
    """

    noun: str
    description: str
    start: str
    advice: str = ""


class NoSuchFolderError(RunError):
    """Nothing is there that the name could mean; any other RunError is about a folder that is."""


def find_folder(text: str, root: Callable[[], Path], kind: FolderKind) -> Path:
    """The folder that `text` means: a name under the root, a path, or `latest`.

    What is wrong with the folder, if anything, is told by whoever reads it.

    Raises:
        NoSuchFolderError: there is none.
        RunError: this user may not read it.
        ConfigError: it names a home that does not exist.
    """
    if text == LATEST:
        return _latest(root() / LATEST, kind)
    with contextlib.suppress(ConfigError):  # without a home nothing has a name
        if NAME_RULE.fullmatch(text) and os.path.isdir(root() / text):
            return root() / text
    path = user_path(text)
    with contextlib.suppress(OSError, ValueError):
        if os.path.lexists(path / kind.description):
            return path.absolute()
        if may_not_read(path / kind.description):
            raise RunError(f"{one_line(text, 120)}: {not_permitted(path.absolute())}")
    raise NoSuchFolderError(f"{one_line(text, 120)}: no such {kind.noun}{kind.advice}")


def _latest(link: Path, kind: FolderKind) -> Path:
    if os.path.isdir(link):
        return link.resolve()
    if may_not_read(link / kind.description):
        raise RunError(f"{LATEST}: {not_permitted(link.resolve())}")
    raise NoSuchFolderError(f"{LATEST}: there is no {kind.noun} yet; start one with `{kind.start}`")


def point_latest(root: Callable[[], Path], folder: Path) -> None:
    """Make `latest` under the root mean `folder`.

    It is a convenience: where it cannot be made, or there is no home, nothing is said.
    """
    with contextlib.suppress(OSError, ConfigError):
        place = root()
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        link = place / f"{LATEST}.tmp-{os.getpid()}"
        link.unlink(missing_ok=True)
        link.symlink_to(folder, target_is_directory=True)
        os.replace(link, place / LATEST)


def read_description(folder: Path, kind: FolderKind) -> dict[str, Any]:
    """The object in the file that describes the run or sweep in `folder`.

    Raises:
        RunError: it is missing, damaged, or not for this user to read.
    """
    file = folder / kind.description
    try:
        value = read_json(file)
    except PermissionError:
        raise RunError(f"{one_line(file)}: {not_permitted(file)}") from None
    except OSError as error:
        reason = one_line(error.strerror or type(error).__name__, 80)
    except ValueError as error:
        reason = "no JSON" if type(error) is not ValueError else one_line(error, 80)
    else:
        if isinstance(value, dict):
            return value
        reason = "no object in it"
    raise RunError(f"{one_line(file)}: not a readable {kind.noun} ({reason})")


def read_listed(
    root: Path, kind: FolderKind, read: Callable[[Path], T]
) -> tuple[dict[Path, T], tuple[str, ...]]:
    """What `read` makes of every folder listed under `root`, and a line for each unreadable one.

    A folder without a description is none of the kind, or none yet, and gets no line.
    """
    values: dict[Path, T] = {}
    unreadable = _closed(root)
    for path in sorted(_listed_folders(root)):
        try:
            values[path] = read(path)
        except RunError as error:
            if not _missing(path / kind.description):
                unreadable.append(str(error))
        except OSError as error:
            unreadable.append(f"{one_line(path)}: {error.strerror or type(error).__name__}")
    return values, tuple(unreadable)


def _listed_folders(root: Path) -> set[Path]:
    """The folders under `root`, and the one elsewhere that `latest` means; none without `root`."""
    folders: set[Path] = set()
    with contextlib.suppress(OSError), os.scandir(root) as entries:
        for entry in entries:
            with contextlib.suppress(OSError, RuntimeError):  # such as a link that leads to itself
                if entry.is_dir(follow_symlinks=False):
                    folders.add(root / entry.name)
                elif entry.name == LATEST and entry.is_dir():
                    folders.add(Path(entry.path).resolve())
    return folders


def _closed(root: Path) -> list[str]:
    """A line where this user may not see what is in `root`."""
    try:
        os.scandir(root).close()
    except PermissionError:
        return [f"{one_line(root)}: {not_permitted(root)}"]
    except OSError:
        pass
    return []


def _missing(path: Path) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False
