"""Find the files of the splits in a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from nexus_engine.data.files.saved_datasets import saved_dataset
from nexus_engine.data.messages import file_error, shown_path
from nexus_engine.data.reading.formats import known_kind, stem_of_name
from nexus_engine.data.reading.sources import Source, refused_access
from nexus_engine.errors import DataError

__all__ = [
    "HELD_OUT",
    "HUB_FOLDER",
    "SPLITS",
    "hub_split_files",
    "no_splits",
    "split_candidates",
    "split_files",
    "split_of_name",
]

SPLITS = ("train", "dev", "test")
HELD_OUT = SPLITS[1:]
"""The splits that are cut from train when they are missing."""

STEMS = {
    "train": "train",
    "dev": "dev",
    "validation": "dev",
    "valid": "dev",
    "val": "dev",
    "test": "test",
}
HUB_FOLDER = "data"
"""Where a repository of the Hugging Face hub has its files."""
MAX_LISTED_NAMES = 10_000
SHARD = re.compile(r"(?P<stem>.+)-(?P<index>\d{5})-of-(?P<count>\d{5})(?:-[0-9a-f]{8,64})?")
"""How the Hugging Face libraries name the parts of a split; older ones add a hash."""

Candidates = Mapping[str, Sequence[Sequence[Path]]]


def split_candidates(folder: Path, prefix: str = "") -> Candidates:
    """The candidates for each split in `folder`: files or sets of shards named `prefix`SPLIT.

    Raises DataError when the folder cannot be listed or shards are missing.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except (OSError, ValueError) as error:
        raise refused_access(folder, error) from None
    candidates: dict[str, dict[tuple[str, str], list[Path]]] = {}
    for name in names:
        if not name.startswith(prefix) or not _may_be_data(name):
            continue
        stem = stem_of_name(name).removeprefix(prefix)
        suffix = name.removeprefix(prefix)[len(stem) :]
        shard = SHARD.fullmatch(stem)
        split = STEMS.get((shard["stem"] if shard else stem).casefold())
        if split is not None:
            count = shard["count"] if shard else ""
            key = (shard["stem"] + count if shard else stem, suffix)
            candidates.setdefault(split, {}).setdefault(key, []).append(folder / name)
    for sets in candidates.values():
        for files in sets.values():
            _refuse_missing_shards(files)
    return {split: list(candidates[split].values()) for split in SPLITS if split in candidates}


def split_files(folder: Path) -> dict[str, Sequence[Path]]:
    """The files of each split in `folder`, in the order of SPLITS; empty if no name means a split.

    Raises DataError when a split has two candidates.
    """
    candidates = split_candidates(folder)
    for split, choices in candidates.items():
        if len(choices) > 1:
            first, second = (shown_path(choice[0].name) for choice in choices[:2])
            reason = f"both {first} and {second} could be the {split} split; move one away"
            raise file_error(shown_path(folder), reason)
    return {split: choices[0] for split, choices in candidates.items()}


def hub_split_files(folder: Path) -> dict[str, Sequence[Path]]:
    """The files of each split in a cloned repository of the hub; empty for another folder."""
    inner = folder / HUB_FOLDER
    files = split_files(inner) if inner.is_dir() and not inner.is_symlink() else {}
    return files if "train" in files else {}


def split_of_name(name: str) -> str | None:
    """The split that the stem of a file's name means; None if it means none."""
    return STEMS.get(name.casefold())


def no_splits(folder: Path) -> DataError:
    """The refusal of a folder without splits, with what to give instead if that is known."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in islice(entries, MAX_LISTED_NAMES))
    label = shown_path(folder)
    reason = "holds no train, dev or test file"
    for name in names:
        if _has_splits(folder / name):
            return file_error(label, f"{reason}; give {shown_path(folder / name)}, which does")
    usable = [name for name in names if _may_be_data(name) and _may_hold_pairs(folder / name)]
    if len(usable) == 1:
        path = shown_path(folder / usable[0])
        return file_error(label, f"{reason}; to load its only data file, give {path}")
    kinds = "(.csv, .tsv, .jsonl or .parquet)"
    if not usable:
        return file_error(label, f"{reason} {kinds}; give a folder or file of pairs")
    return file_error(label, f"{reason} {kinds}; rename its files so, or give one file")


def _has_splits(path: Path) -> bool:
    try:
        if not path.is_dir():
            return False
        return "train" in split_candidates(path) or saved_dataset(path) is not None
    except DataError:
        return False


def _may_hold_pairs(path: Path) -> bool:
    """False for a JSON file without pairs, such as one that describes the other files."""
    if not path.name.casefold().endswith(".json"):
        return True
    # Imported here because finding files does not need the reader.
    from nexus_engine.data.reading.json_lines import read_json_lines

    try:
        _, batches = read_json_lines(Source(shown_path(path), path), score_needed=True)
        next(batches)
    except DataError:
        return False
    return True


def _may_be_data(name: str) -> bool:
    """Whether a name means data, or a zip file that may hold some."""
    return known_kind(name) is not None or name.lower().endswith(".zip")


def _refuse_missing_shards(files: Sequence[Path]) -> None:
    shards = [SHARD.fullmatch(stem_of_name(file.name)) for file in files]
    indices = [int(shard["index"]) for shard in shards if shard]
    if not indices or not shards[0]:
        return
    doubled = next(
        (place for place in range(1, len(files)) if indices[place - 1] == indices[place]), 0
    )
    if doubled:
        others = shown_path(files[doubled].name)
        reason = f"is the same part as {others}; move the older one away"
        raise file_error(shown_path(files[doubled - 1]), reason)
    count = int(shards[0]["count"])
    if len(files) != count:
        reason = f"{len(files)} of the {count} parts are here; add the others"
        raise file_error(shown_path(files[0]), reason)
