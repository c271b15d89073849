"""The files of a folder that hold its splits."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from nexus_engine.data.formats import known_kind, stem_of_name
from nexus_engine.data.messages import file_error, shown_path
from nexus_engine.data.sources import refused_access
from nexus_engine.errors import DataError

__all__ = ["SPLITS", "split_candidates", "split_files"]

SPLITS = ("train", "dev", "test")

STEMS = {
    "train": "train",
    "dev": "dev",
    "validation": "dev",
    "valid": "dev",
    "val": "dev",
    "test": "test",
}
SHARD = re.compile(r"(?P<stem>.+)-(?P<index>\d{5})-of-(?P<count>\d{5})")
"""How the Hugging Face libraries name the parts of a split."""

Candidates = Mapping[str, Sequence[Sequence[Path]]]


def split_candidates(folder: Path, prefix: str = "") -> Candidates:
    """For each split, what in `folder` could be it: files, or sets of shards, named `prefix`SPLIT.

    Raises DataError when the folder cannot be listed or shards are missing.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except (OSError, ValueError) as error:
        raise refused_access(folder, error) from None
    found: dict[str, dict[tuple[str, str], list[Path]]] = {}
    for name in names:
        if known_kind(name) is None or not name.startswith(prefix):
            continue
        stem = stem_of_name(name).removeprefix(prefix)
        suffix = name.removeprefix(prefix)[len(stem) :]
        shard = SHARD.fullmatch(stem)
        split = STEMS.get((shard["stem"] if shard else stem).casefold())
        if split is not None:
            count = shard["count"] if shard else ""
            key = (shard["stem"] + count if shard else stem, suffix)
            found.setdefault(split, {}).setdefault(key, []).append(folder / name)
    for sets in found.values():
        for files in sets.values():
            _refuse_missing_shards(files)
    return {split: list(found[split].values()) for split in SPLITS if split in found}


def split_files(folder: Path) -> dict[str, Sequence[Path]]:
    """The files of each split in a folder that the user named, in the order of SPLITS.

    Raises DataError when a split could be either of two, and when there is none at all.
    """
    candidates = split_candidates(folder)
    for split, choices in candidates.items():
        if len(choices) > 1:
            one, other = (shown_path(choice[0].name) for choice in choices[:2])
            reason = f"both {one} and {other} could be the {split} split; move one away"
            raise file_error(shown_path(folder), reason)
    if not candidates:
        raise _no_splits(folder)
    return {split: choices[0] for split, choices in candidates.items()}


def _no_splits(folder: Path) -> DataError:
    usable = sorted(name for name in os.listdir(folder) if known_kind(name) is not None)
    label = shown_path(folder)
    if len(usable) == 1:
        one = shown_path(folder / usable[0])
        return file_error(label, f"holds no train, dev or test file; for its one file give {one}")
    reason = "holds no train, dev or test file (.csv, .tsv, .jsonl or .parquet)"
    return file_error(label, f"{reason}; rename its files so, or give one file")


def _refuse_missing_shards(files: Sequence[Path]) -> None:
    shard = SHARD.fullmatch(stem_of_name(files[0].name))
    if shard and len(files) != int(shard["count"]):
        reason = f"{len(files)} of the {int(shard['count'])} parts are here; add the others"
        raise file_error(shown_path(files[0]), reason)
