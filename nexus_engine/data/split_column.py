"""Split a single file by its column `split`, which names the split of each pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc

from nexus_engine.data.files.folders import SPLITS
from nexus_engine.data.files.locating import ALL_PAIRS
from nexus_engine.data.messages import row_error
from nexus_engine.data.reading.raw_pairs import RawPairs

__all__ = ["by_split_column"]

SPELLINGS = {
    "train": "train", "training": "train",
    "dev": "dev", "develop": "dev", "development": "dev",
    "val": "dev", "valid": "dev", "validation": "dev",
    "test": "test", "testing": "test",
}  # fmt: skip


def by_split_column(
    raw: Mapping[str, list[RawPairs]],
) -> tuple[dict[str, list[RawPairs]], list[str]]:
    """The pairs of a file by the splits that its column `split` names, and notes on that.

    The files of a folder are its splits, so the column is ignored there, with a note. A column in
    which at least half of the words name no split, or none names train, is ignored too.
    Raises DataError, with the row, if fewer words name no split: a pair meant for test could
    otherwise be trained on.
    """
    if ALL_PAIRS not in raw and any(part.splits is not None for p in raw.values() for part in p):
        return dict(raw), ["the column split is ignored: the files are the splits"]
    parts = raw.get(ALL_PAIRS, [])
    part_splits = [_splits_of(part) for part in parts if part.splits is not None]
    if not parts or len(part_splits) < len(parts):
        return dict(raw), []
    all_splits = [split for splits in part_splits for split in splits]
    unknown = all_splits.count(None)
    if unknown:
        index = next(i for i, splits in enumerate(part_splits) if None in splits)
        part, splits = parts[index], part_splits[index]
        row = int(part.rows[splits.index(None)])
        if 2 * unknown < len(all_splits):
            reason = "the split is none of train, dev (or validation) and test"
            count = f", as in {unknown:,} rows" if unknown > 1 else ""
            advice = "correct it, or rename the column to have it ignored"
            raise row_error(part.label, row, f"{reason}{count}; {advice}")
        reason = f"row {row} says neither train, dev (or validation) nor test"
        return dict(raw), [f"the column split is ignored: {reason}"]
    if "train" not in all_splits:
        return dict(raw), ["the column split is ignored: it names no train pair"]
    by_split: dict[str, list[RawPairs]] = {}
    for split in SPLITS:
        for part, splits in zip(parts, part_splits, strict=True):
            indices = np.flatnonzero([name == split for name in splits])
            if len(indices):
                by_split.setdefault(split, []).append(replace(part.take(indices), splits=None))
    sizes = ", ".join(f"{sum(map(len, parts)):,} {split}" for split, parts in by_split.items())
    return by_split, [f"split as the column split says: {sizes} pairs"]


def _splits_of(part: RawPairs) -> list[str | None]:
    """The split of each pair; None where the word names none."""
    words = pc.utf8_lower(pc.utf8_trim_whitespace(part.splits))
    return [SPELLINGS.get(word) for word in words.to_pylist()]
