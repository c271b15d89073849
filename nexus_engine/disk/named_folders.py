"""Finding, listing and describing the folders of runs and sweeps; the link `latest`.

A run and a sweep are each a folder with a JSON description under a root of their kind. Both share
this code, so that links, damaged files and unreadable folders are handled the same way.
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
    """Runs or sweeps: their `noun`, and the name of the `description` file in each folder.

    `start` is the command that makes a first one. `advice` is appended to "no such NOUN".
    """

    noun: str
    description: str
    start: str
    advice: str = ""


class NoSuchFolderError(RunError):
    """No folder matches the name. Any other RunError concerns a folder that exists."""


def find_folder(name: str, root: Callable[[], Path], kind: FolderKind) -> Path:
    """The folder that `name` means: a name under the root, a path, or `latest`.

    The content of the folder is not checked.

    Raises:
        NoSuchFolderError: there is no such folder.
        RunError: this user may not read it.
        ConfigError: the path names the home of an unknown user.
    """
    if name == LATEST:
        return _latest(root() / LATEST, kind)
    with contextlib.suppress(ConfigError):  # there is no home, and so no root to look in
        if NAME_RULE.fullmatch(name) and os.path.isdir(root() / name):
            return root() / name
    path = user_path(name)
    with contextlib.suppress(OSError, ValueError):
        if os.path.lexists(path / kind.description):
            return path.absolute()
        if may_not_read(path / kind.description):
            raise RunError(f"{one_line(name, 120)}: {not_permitted(path.absolute())}")
    reason = f"no such {kind.noun}"
    if os.path.isdir(path):
        reason += f" (the folder holds no {kind.description})"
    raise NoSuchFolderError(f"{one_line(name, 120)}: {reason}{kind.advice}")


def _latest(link: Path, kind: FolderKind) -> Path:
    if os.path.isdir(link):
        return link.resolve()
    if may_not_read(link / kind.description):
        raise RunError(f"{LATEST}: {not_permitted(link.resolve())}")
    raise NoSuchFolderError(f"{LATEST}: there is no {kind.noun} yet; start one with `{kind.start}`")


def point_latest(root: Callable[[], Path], folder: Path) -> None:
    """Point the link `latest` under the root to `folder`.

    The link is a convenience, so a failure to make it is ignored.
    """
    with contextlib.suppress(OSError, ConfigError):
        link = root() / LATEST
        link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = link.with_name(f"{LATEST}.tmp-{os.getpid()}")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(folder, target_is_directory=True)
        os.replace(temporary, link)


def read_description(folder: Path, kind: FolderKind) -> dict[str, Any]:
    """The JSON object that describes the run or sweep in `folder`.

    Raises:
        RunError: the file is missing or damaged, or this user may not read it.
    """
    file = folder / kind.description
    try:
        value = read_json(file)
    except PermissionError:
        raise RunError(f"{one_line(file)}: {not_permitted(file)}") from None
    except OSError as error:
        reason = one_line(error.strerror or type(error).__name__, 80)
    except ValueError as error:
        reason = "not JSON" if type(error) is not ValueError else one_line(error, 80)
    else:
        if isinstance(value, dict):
            return value
        reason = "not a JSON object"
    raise RunError(f"{one_line(file)}: not a readable {kind.noun} ({reason})")


def read_listed(
    root: Path, kind: FolderKind, read: Callable[[Path], T]
) -> tuple[dict[Path, T], tuple[str, ...]]:
    """What `read` returns for every folder under `root`, and a line for each unreadable folder.

    A folder without a description is of another kind or not complete yet, and gets no line.
    """
    values: dict[Path, T] = {}
    unreadable = _unreadable_root(root)
    for path in sorted(_listed_folders(root)):
        try:
            values[path] = read(path)
        except RunError as error:
            if not _is_missing(path / kind.description):
                unreadable.append(str(error))
        except OSError as error:
            unreadable.append(f"{one_line(path)}: {error.strerror or type(error).__name__}")
    return values, tuple(unreadable)


def _listed_folders(root: Path) -> set[Path]:
    """The folders under `root`, and the target of `latest`; none if `root` is missing."""
    folders: set[Path] = set()
    with contextlib.suppress(OSError), os.scandir(root) as entries:
        for entry in entries:
            with contextlib.suppress(OSError, RuntimeError):  # such as a link to itself
                if entry.is_dir(follow_symlinks=False):
                    folders.add(root / entry.name)
                elif entry.name == LATEST and entry.is_dir():
                    folders.add(Path(entry.path).resolve())
    return folders


def _unreadable_root(root: Path) -> list[str]:
    """One line if this user may not list `root`, else none."""
    try:
        os.scandir(root).close()
    except PermissionError:
        return [f"{one_line(root)}: {not_permitted(root)}"]
    except OSError:
        pass
    return []


def _is_missing(path: Path) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False
