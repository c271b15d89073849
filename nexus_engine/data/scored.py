"""Located files read into splits with scores in 0..1, checked that Spearman is defined on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nexus_engine.data.doubts import is_unlabelled, questions, refuse_no_scores, score_notes
from nexus_engine.data.files.folders import HELD_OUT
from nexus_engine.data.files.locating import WHOLE, Located
from nexus_engine.data.messages import file_error
from nexus_engine.data.pairs import Pairs
from nexus_engine.data.ranges import (
    ScoreRange,
    checked_range,
    found_range,
    mapped_scores,
    range_note,
)
from nexus_engine.data.reading.formats import FileKind
from nexus_engine.data.reading.raw_pairs import RawPairs, one_array, read_pairs
from nexus_engine.data.reading.sources import Source
from nexus_engine.data.split_column import by_split_column
from nexus_engine.errors import DataError

__all__ = [
    "FEWEST_PAIRS",
    "ScoredSplits",
    "as_unscored",
    "joined_pairs",
    "read_scored",
]

FEWEST_PAIRS = 2
"""Spearman needs two."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredSplits:
    """What the files of a SPEC hold."""

    splits: Mapping[str, Pairs]
    """By split, or all under WHOLE."""
    score_range: ScoreRange
    notes: tuple[str, ...]
    questions: tuple[str, ...]
    """See `pairs.PairData`."""


def read_scored(located: Located, score_range: ScoreRange | None) -> ScoredSplits:
    """Read every file of `located` and map their scores from one range, given or found.

    A dev or test split without labels is left out where there is a train split to cut one from.
    Raises DataError for what cannot be used, ConfigError for a range that is none.
    """
    given = None if score_range is None else checked_range(score_range)
    raw = {
        split: [read_pairs(source, kind, score_needed=True) for source, kind in files]
        for split, files in located.files.items()
    }
    raw, split_notes = by_split_column(raw)
    by_column = WHOLE in located.files and WHOLE not in raw
    raw, asked = _labelled(raw)
    parts = [part for split in raw.values() for part in split]
    for part in parts:
        refuse_no_scores(part, range_given=given is not None)
    mapped_from = given or found_range(parts)
    if given is None:
        asked += questions(raw, mapped_from)
    splits = {}
    for split, files in raw.items():
        splits[split] = joined_pairs([_mapped(part, mapped_from) for part in files])
        where = f"{files[0].label}, split {split}" if by_column else files[0].label
        refuse_unmeasurable(where, splits[split])
    notes = (
        *located.notes,
        *_column_notes(parts),
        *split_notes,
        range_note(parts, mapped_from, given=given is not None),
        *score_notes(parts),
    )
    return ScoredSplits(splits, mapped_from, notes, tuple(asked))


def _labelled(
    raw: Mapping[str, list[RawPairs]],
) -> tuple[dict[str, list[RawPairs]], list[str]]:
    """The splits that have labels, and a line for each that has none."""
    labelled, said = {}, []
    for split, parts in raw.items():
        if not is_unlabelled(parts):
            labelled[split] = parts
            continue
        found = f"all {sum(map(len, parts))} scores are -1: it is not labelled"
        if split not in HELD_OUT or "train" not in raw:
            raise file_error(parts[0].label, f"{found}; give pairs with scores")
        said.append(f"{parts[0].label}: {found} and left out; a {split} split is cut from train")
    return labelled, said


def joined_pairs(parts: Sequence[Pairs]) -> Pairs:
    """Several sets of pairs as one, in order; with scores only if all have them."""
    if len(parts) == 1:
        return parts[0]
    scores = [part.scores for part in parts if part.scores is not None]
    return Pairs(
        one_array([part.first for part in parts]),
        one_array([part.second for part in parts]),
        np.concatenate(scores) if len(scores) == len(parts) else None,
    )


def refuse_unmeasurable(label: str, pairs: Pairs) -> None:
    """DataError for pairs on which Spearman is undefined: fewer than two, or one score for all."""
    if len(pairs) < FEWEST_PAIRS:
        raise file_error(label, "holds one pair; at least two are needed")
    if pairs.scores is not None and np.all(pairs.scores == pairs.scores[0]):
        reason = f"all {len(pairs)} scores are equal, so Spearman is undefined; use graded scores"
        raise file_error(label, reason)


def _mapped(raw: RawPairs, score_range: ScoreRange) -> Pairs:
    return Pairs(raw.first, raw.second, mapped_scores(raw, score_range))


def _column_notes(parts: Sequence[RawPairs]) -> list[str]:
    """What was read, said once where all files agree."""
    if len({part.notes for part in parts}) == 1:
        return list(parts[0].notes)
    return [f"{part.label}: {note}" for part in parts for note in part.notes]


def as_unscored(source: Source, kind: FileKind) -> Pairs:
    """See `loading.load_unscored`."""
    raw = read_pairs(source, kind, score_needed=False)
    if raw.scores is None:
        return Pairs(raw.first, raw.second, None)
    try:
        return _mapped(raw, found_range([raw]))
    except DataError:  # a column of numbers that are no scores we know
        return Pairs(raw.first, raw.second, None)
