"""From a SPEC to files: `demo`, `stsb`, a file of pairs, or a folder of splits."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nexus_engine.data.assets import assets_dir
from nexus_engine.data.folders import split_files
from nexus_engine.data.formats import FileKind, kind_of_name
from nexus_engine.data.messages import shown_path
from nexus_engine.data.sources import Source, file_source, refused_access
from nexus_engine.data.stsb_cache import find_stsb
from nexus_engine.errors import DataError
from nexus_engine.user_paths import user_path

__all__ = ["WHOLE", "Located", "locate", "located_file"]

WHOLE = "all"
"""The key of a single file, which is no split."""


@dataclass(frozen=True, slots=True)
class Located:
    """The files that a SPEC means."""

    name: str
    """For the screen."""
    label: str
    """For messages about all of it."""
    files: Mapping[str, Sequence[tuple[Source, FileKind]]]
    """Files by split (train, dev, test), or all under WHOLE."""


def locate(spec: str) -> Located:
    """The files that `spec` means; `./demo` and `./stsb` are files of that name.

    Raises DataError for what does not exist, may not be read, or is of no kind that is read.
    """
    if spec == "demo":
        return _folder(assets_dir() / "demo", name="demo")
    if spec == "stsb":
        files = {
            split: [(file_source(path), kind) for path, kind in paths]
            for split, paths in find_stsb().items()
        }
        return Located("stsb", "stsb", files)
    if not spec:
        raise DataError("no data given: name a file or folder of pairs, `demo` or `stsb`")
    path = user_path(spec, DataError)
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError) as error:
        raise refused_access(path, error) from None
    name = shown_path(path.name or path.resolve().name or os.fspath(path))
    if is_folder:
        return _folder(path, name)
    source, kind = located_file(path)
    return Located(name, source.label, {WHOLE: [(source, kind)]})


def located_file(path: Path) -> tuple[Source, FileKind]:
    """A single file and its kind; DataError as for `locate`, and for a folder."""
    source = file_source(path)
    return source, kind_of_name(source.label, path.name)


def _folder(path: Path, name: str) -> Located:
    files = {
        split: [located_file(file) for file in paths] for split, paths in split_files(path).items()
    }
    return Located(name, shown_path(path), files)
