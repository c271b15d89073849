"""Find the Arrow files in folders written by `save_to_disk` of the `datasets` library.

The file `dataset_dict.json` names the splits, each in a folder of its own; `state.json` names the
Arrow files of one split. Only these names are read: the formats and fingerprints that the library
stores are ignored. Links are refused, because the folder may come from somebody else.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nexus_engine.data.messages import file_error, shown_names, shown_path
from nexus_engine.data.reading.sources import refused_access
from nexus_engine.disk.regular_files import open_reader, read_json
from nexus_engine.errors import DataError

__all__ = ["SavedDataset", "folder_of_part", "saved_dataset"]

SPLITS_FILE = "dataset_dict.json"
STATE_FILE = "state.json"
INFO_FILE = "dataset_info.json"
FILES = "_data_files"
"""The list of Arrow files in `state.json`; without it, the file is another program's."""
MAX_FILES = 10_000
"""Of one split; the library writes one Arrow file for every 500 MB."""
COPY_AGAIN = "copy the whole folder again"
SAVE_AGAIN = "load it with the datasets library and save it with to_parquet"


class SavedDataset(NamedTuple):
    """The Arrow files of a saved dataset by split; a dataset without splits has one, named ''."""

    splits: Mapping[str, Sequence[Path]]
    has_names: bool


def saved_dataset(folder: Path) -> SavedDataset | None:
    """The files of the saved dataset in `folder`; None if there is none.

    Raises DataError for a damaged dataset, a missing file, and a file that is not a regular one.
    """
    if _is_file(folder / SPLITS_FILE):
        names = _names(folder)
        return SavedDataset({name: _arrow_files(folder / name) for name in names}, has_names=True)
    if _is_file(folder / STATE_FILE) and FILES in _json_object(folder / STATE_FILE):
        return SavedDataset({"": _arrow_files(folder)}, has_names=False)
    return None


def folder_of_part(path: Path) -> Path | None:
    """The folder of the saved dataset that the file at `path` belongs to; None if it is in none."""
    if path.suffix != ".arrow" and path.name not in (SPLITS_FILE, STATE_FILE, INFO_FILE):
        return None
    try:
        return path.parent if saved_dataset(path.parent) is not None else None
    except DataError:
        return None


def _names(folder: Path) -> list[str]:
    path = folder / SPLITS_FILE
    names = _json_object(path).get("splits")
    if not isinstance(names, list) or not names or not all(map(_is_plain_name, names)):
        raise file_error(shown_path(path), f"names no splits; {COPY_AGAIN}")
    for name in names:
        # A link is not followed, because the splits belong in the folder itself.
        if not _is_folder(folder / name):
            reason = f"the folder of its split {shown_names([name])} is missing"
            raise file_error(shown_path(folder), f"{reason}; {COPY_AGAIN}")
    return list(dict.fromkeys(names))


def _arrow_files(folder: Path) -> list[Path]:
    path = folder / STATE_FILE
    state = _json_object(path)
    entries = state.get(FILES)
    if not isinstance(entries, list) or not 0 < len(entries) <= MAX_FILES:
        raise file_error(shown_path(path), f"names no Arrow files; {COPY_AGAIN}")
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise file_error(shown_path(path), f"its rows are selected by an index; {SAVE_AGAIN}")
    files = []
    for entry in entries:
        name = entry.get("filename") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not _is_plain_name(name):
            raise file_error(shown_path(path), f"names a file outside its folder; {SAVE_AGAIN}")
        file = folder / name
        try:
            open_reader(file).close()
        except (OSError, ValueError) as error:
            raise _unusable(file, error) from None
        files.append(file)
    return files


def _unusable(file: Path, error: OSError | ValueError) -> DataError:
    if file.is_symlink():
        reason = "is a symbolic link, which is not followed; put a copy of the file in its place"
        return file_error(shown_path(file), reason)
    if isinstance(error, FileNotFoundError):
        return file_error(shown_path(file), f"is missing; {COPY_AGAIN}")
    return refused_access(file, error)


def _json_object(path: Path) -> dict[str, Any]:
    try:
        value = read_json(path)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise file_error(shown_path(path), f"is larger than 16 MB; {COPY_AGAIN}") from None
        raise _unusable(path, error) from None
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise file_error(shown_path(path), f"is damaged or cut off; {COPY_AGAIN}")
    return value


def _is_plain_name(name: object) -> bool:
    return (
        isinstance(name, str)
        and 0 < len(name) < 256
        and name not in (".", "..")
        and not any(character in name for character in "/\\\0")
        and name.isprintable()
    )


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False
