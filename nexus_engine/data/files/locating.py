"""Find the files that a SPEC means: `demo`, `stsb`, a file of pairs, or a folder of splits."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nexus_engine.data.files.assets import assets_dir
from nexus_engine.data.files.folders import (
    HUB_FOLDER,
    SPLITS,
    hub_split_files,
    no_splits,
    split_files,
    split_of_name,
)
from nexus_engine.data.files.saved_datasets import SavedDataset, folder_of_part, saved_dataset
from nexus_engine.data.files.stsb_cache import find_stsb
from nexus_engine.data.messages import file_error, shown_names, shown_path
from nexus_engine.data.reading.formats import FileKind, kind_of_file
from nexus_engine.data.reading.sources import Source, file_source, refused_access
from nexus_engine.errors import DataError
from nexus_engine.system.user_paths import user_path

__all__ = ["ALL_PAIRS", "Located", "locate", "located_file"]

ALL_PAIRS = "all"
"""The key of a single file, which is no split, and the name of all splits together."""


@dataclass(frozen=True, slots=True)
class Located:
    """The files that a SPEC means."""

    name: str
    """For display."""
    label: str
    """For messages about the data as a whole."""
    files: Mapping[str, Sequence[tuple[Source, FileKind]]]
    """Files by split (train, dev, test), or all under ALL_PAIRS."""
    notes: tuple[str, ...] = ()
    """One line on each part of the data that is not read."""


def locate(spec: str, *, assets: Path | None = None) -> Located:
    """The files that `spec` means; `./demo` and `./stsb` mean files of those names.

    `assets` is the folder that holds `demo`; by default the one that ships with the project.
    Raises DataError for a path that does not exist, is unreadable, or is of no supported kind.
    """
    if spec == "demo":
        return _folder((assets or assets_dir()) / "demo", name="demo")
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
    dataset = folder_of_part(path)
    if dataset is not None:
        reason = "is a part of a dataset saved by the datasets library"
        raise file_error(shown_path(path), f"{reason}; give its folder, {shown_path(dataset)}")
    source, kind = located_file(path)
    return Located(name, source.label, {ALL_PAIRS: [(source, kind)]})


def located_file(path: Path) -> tuple[Source, FileKind]:
    """A single file and its kind. Raises DataError as `locate` does, and for a folder."""
    source = file_source(path)
    return source, kind_of_file(source, path.name)


def _folder(path: Path, name: str) -> Located:
    files = split_files(path)
    if files:
        return _splits(path, name, files)
    saved = saved_dataset(path)
    if saved is not None:
        return _saved(path, name, saved)
    files = hub_split_files(path)
    if not files:
        raise no_splits(path)
    located = _splits(path / HUB_FOLDER, name, files)
    return replace(located, notes=(f"the files are in its folder {HUB_FOLDER}",))


def _splits(path: Path, name: str, files: Mapping[str, Sequence[Path]]) -> Located:
    sources = {split: [located_file(file) for file in paths] for split, paths in files.items()}
    return Located(name, shown_path(path), sources)


def _saved(path: Path, name: str, saved: SavedDataset) -> Located:
    """The splits of a saved dataset; one without named splits counts as a single file."""
    label = shown_path(path)
    arrow = {
        split: [(file_source(file), FileKind.ARROW) for file in files]
        for split, files in saved.splits.items()
    }
    if not saved.has_names:
        return Located(name, label, {ALL_PAIRS: arrow[""]})
    splits: dict[str, Sequence[tuple[Source, FileKind]]] = {}
    others = []
    for split_name, files in arrow.items():
        split = split_of_name(split_name)
        if split is None:
            others.append(split_name)
        elif split in splits:
            raise file_error(label, f"two of its splits could be the {split} split; remove one")
        else:
            splits[split] = files
    if not splits:
        example = shown_path(path / others[0])
        reason = f"has the splits {shown_names(others)}, none of them train, dev or test"
        raise file_error(label, f"{reason}; give one, for example {example}")
    notes = [f"splits that are not read: {shown_names(others)}"] if others else []
    ordered = {split: splits[split] for split in SPLITS if split in splits}
    return Located(name, label, ordered, tuple(notes))
