"""Read located files into splits with scores in 0..1, and check that Spearman is defined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nexus_engine.data.doubts import (
    is_unlabelled,
    refuse_no_scores,
    score_notes,
    score_questions,
    without_missing_labels,
)
from nexus_engine.data.files.folders import HELD_OUT
from nexus_engine.data.files.locating import ALL_PAIRS, Located
from nexus_engine.data.label_splits import by_part
from nexus_engine.data.messages import file_error
from nexus_engine.data.pairs import MIN_PAIRS, Pairs
from nexus_engine.data.ranges import (
    ScoreRange,
    checked_range,
    inferred_range,
    mapped_scores,
    range_note,
)
from nexus_engine.data.reading.formats import FileKind
from nexus_engine.data.reading.named_columns import checked_roles
from nexus_engine.data.reading.raw_pairs import RawPairs, one_array, read_pairs
from nexus_engine.data.reading.sources import Source
from nexus_engine.data.split_column import by_split_column
from nexus_engine.errors import DataError

__all__ = ["as_unscored", "joined_pairs", "read_scored"]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredSplits:
    """The pairs in the files of a SPEC."""

    splits: Mapping[str, Pairs]
    """By split, or all under ALL_PAIRS."""
    score_range: ScoreRange
    notes: tuple[str, ...]
    questions: tuple[str, ...]
    labels: str = ""
    """The last two as in `pairs.PairData`."""


def read_scored(
    located: Located,
    score_range: ScoreRange | None,
    columns: Mapping[str, str] | None = None,
    *,
    skip_bad: bool = False,
) -> ScoredSplits:
    """Read every file of `located` and map all scores from one range, given or inferred.

    `columns` names columns by their roles. A dev or test split without labels is left out if there
    is a train split to cut another from. With `skip_bad`, rows that cannot be used are left out.
    Raises DataError for data that cannot be used and ConfigError for an invalid range or columns.
    """
    given_range = None if score_range is None else checked_range(score_range)
    columns = checked_roles(columns)
    raw = {
        split: [
            read_pairs(source, kind, score_needed=True, columns=columns, skip_bad=skip_bad)
            for source, kind in files
        ]
        for split, files in located.files.items()
    }
    scale = _scale_of_labels(raw)
    given_range = given_range or scale
    if scale is not None and list(raw) == [ALL_PAIRS]:
        raw, split_notes = by_part(raw[ALL_PAIRS][0])
    else:
        raw, split_notes = by_split_column(raw)
    by_column = ALL_PAIRS in located.files and ALL_PAIRS not in raw
    raw, questions = _labelled(raw)
    if skip_bad and given_range is None:
        raw = {split: [without_missing_labels(part) for part in raw[split]] for split in raw}
    parts = [part for split in raw.values() for part in split]
    for part in parts:
        refuse_no_scores(part, range_given=given_range is not None)
    mapped_from = given_range or inferred_range(parts)
    if given_range is None:
        questions += score_questions(raw, mapped_from)
    splits = dict[str, Pairs]()
    for split, files in raw.items():
        same = next((name for name in splits if raw[name] is files), None)
        if same is not None:
            splits[split] = splits[same]
            continue
        splits[split] = joined_pairs([_mapped(part, mapped_from) for part in files])
        label = f"{files[0].label}, split {split}" if by_column else files[0].label
        _refuse_unmeasurable(label, splits[split])
    notes = (
        *located.notes,
        *_column_notes(parts),
        *split_notes,
        *([range_note(parts, mapped_from, given=given_range is not None)] if scale is None else []),
        *score_notes(parts),
    )
    labels = "" if scale is None else parts[0].labels
    return ScoredSplits(splits, mapped_from, notes, tuple(questions), labels)


def _scale_of_labels(raw: Mapping[str, list[RawPairs]]) -> ScoreRange | None:
    """The scale of the grades where every file is a label file; None for other files."""
    ranges = {part.score_range for parts in raw.values() for part in parts}
    return ranges.pop() if len(ranges) == 1 else None


def _labelled(
    raw: Mapping[str, list[RawPairs]],
) -> tuple[dict[str, list[RawPairs]], list[str]]:
    """The splits that have labels, and a question for each that has none."""
    labelled, questions = {}, []
    for split, parts in raw.items():
        if not is_unlabelled(parts):
            labelled[split] = parts
            continue
        label, reason = parts[0].label, f"all {sum(map(len, parts))} scores are -1: no labels"
        if split not in HELD_OUT or "train" not in raw:
            raise file_error(label, f"{reason}; give pairs with scores")
        questions.append(f"{label}: {reason}, so it is left out; a {split} split is cut from train")
    return labelled, questions


def joined_pairs(parts: Sequence[Pairs]) -> Pairs:
    """Join several sets of pairs in order; the result has scores if all parts have them."""
    if len(parts) == 1:
        return parts[0]
    scores = [part.scores for part in parts if part.scores is not None]
    return Pairs(
        one_array([part.first for part in parts]),
        one_array([part.second for part in parts]),
        np.concatenate(scores) if len(scores) == len(parts) else None,
    )


def _refuse_unmeasurable(label: str, pairs: Pairs) -> None:
    """Raise DataError for pairs on which Spearman is undefined: one pair, or all scores equal."""
    if len(pairs) < MIN_PAIRS:
        raise file_error(label, "holds one pair; at least two are needed")
    if pairs.scores is not None and np.all(pairs.scores == pairs.scores[0]):
        reason = f"all {len(pairs)} scores are equal, so Spearman is undefined; use graded scores"
        raise file_error(label, reason)


def _mapped(raw: RawPairs, score_range: ScoreRange) -> Pairs:
    return Pairs(raw.first, raw.second, mapped_scores(raw, score_range))


def _column_notes(parts: Sequence[RawPairs]) -> list[str]:
    """Notes on what was read, once if they are the same for all files."""
    if len({part.notes for part in parts}) == 1:
        return list(parts[0].notes)
    return [f"{part.label}: {note}" for part in parts for note in part.notes]


def as_unscored(source: Source, kind: FileKind) -> Pairs:
    """See `loading.load_unscored`."""
    raw = read_pairs(source, kind, score_needed=False)
    if raw.scores is None:
        return Pairs(raw.first, raw.second, None)
    try:
        return _mapped(raw, inferred_range([raw]))
    except DataError:  # numbers of no known range are not taken for scores
        return Pairs(raw.first, raw.second, None)
