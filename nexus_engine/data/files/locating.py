"""From a SPEC to files: `demo`, `stsb`, a file of pairs, or a folder of splits."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nexus_engine.data.files.assets import assets_dir
from nexus_engine.data.files.folders import SPLITS, no_splits, split_files, split_of_name
from nexus_engine.data.files.saved_datasets import Saved, folder_of_part, saved_dataset
from nexus_engine.data.files.stsb_cache import find_stsb
from nexus_engine.data.messages import file_error, shown_names, shown_path
from nexus_engine.data.reading.formats import FileKind, kind_of_name
from nexus_engine.data.reading.sources import Source, file_source, refused_access
from nexus_engine.errors import DataError
from nexus_engine.system.user_paths import user_path

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
    notes: tuple[str, ...] = ()
    """What is not read of it, a line each."""


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
    of = folder_of_part(path)
    if of is not None:
        reason = "is a part of a dataset saved by the datasets library"
        raise file_error(shown_path(path), f"{reason}; give its folder, {shown_path(of)}")
    source, kind = located_file(path)
    return Located(name, source.label, {WHOLE: [(source, kind)]})


def located_file(path: Path) -> tuple[Source, FileKind]:
    """A single file and its kind; DataError as for `locate`, and for a folder."""
    source = file_source(path)
    return source, kind_of_name(source.label, path.name)


def _folder(path: Path, name: str) -> Located:
    files = split_files(path)
    if files:
        found = {split: [located_file(file) for file in paths] for split, paths in files.items()}
        return Located(name, shown_path(path), found)
    saved = saved_dataset(path)
    if saved is None:
        raise no_splits(path)
    return _saved(path, name, saved)


def _saved(path: Path, name: str, saved: Saved) -> Located:
    """The splits of a saved dataset; one that has none is a single file's worth of pairs."""
    label = shown_path(path)
    arrow = {
        split: [(file_source(file), FileKind.ARROW) for file in files]
        for split, files in saved.splits.items()
    }
    if not saved.has_names:
        return Located(name, label, {WHOLE: arrow[""]})
    found: dict[str, Sequence[tuple[Source, FileKind]]] = {}
    others = []
    for given, files in arrow.items():
        split = split_of_name(given)
        if split is None:
            others.append(given)
        elif split in found:
            raise file_error(label, f"two of its splits could be the {split} split; remove one")
        else:
            found[split] = files
    if not found:
        one = shown_path(path / others[0])
        reason = f"has the splits {shown_names(others)}, none of them train, dev or test"
        raise file_error(label, f"{reason}; give one, for example {one}")
    notes = [f"its splits that are not read: {shown_names(others)}"] if others else []
    ordered = {split: found[split] for split in SPLITS if split in found}
    return Located(name, label, ordered, tuple(notes))
