"""Numbers that may not be graded similarities: missing labels, classes, row numbers, other scales.

Clear cases are refused. Doubtful ones become questions to the user before training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nexus_engine.data.classes import inference_classes, inference_reason
from nexus_engine.data.messages import file_error, row_error
from nexus_engine.data.ranges import inferred_range
from nexus_engine.data.reading.raw_pairs import RawPairs

__all__ = [
    "is_unlabelled",
    "refuse_no_scores",
    "score_notes",
    "score_questions",
    "without_missing_labels",
]

NO_LABEL = -1.0
"""The mark of a missing label in GLUE and other sets on the Hub."""
MIN_COUNTING_ROWS = 20
"""In fewer rows, scores that count by one may be the marks of a scale, each given once."""
MIN_DISTINCT_ROWS = 30
"""Among this many whole-number grades some are equal; ids and ranks never are."""
MIN_FILLED_SHARE = 0.6
"""Scores that fill no more than this share of an inferred range raise a question."""

Scores = npt.NDArray[np.float64]


def is_unlabelled(parts: Sequence[RawPairs]) -> bool:
    """Whether every score in the files of a split is -1, the mark of a missing label."""
    return all(part.scores is not None and bool((part.scores == NO_LABEL).all()) for part in parts)


def refuse_no_scores(part: RawPairs, *, range_given: bool) -> None:
    """Raise DataError, with file, row and advice, for numbers that cannot be graded similarities.

    If the user gave the range, row numbers and single scores of -1 are believed to be scores.
    """
    scores = _scores(part)
    classes = inference_classes(part.sentence_names, scores)
    if classes:
        raise file_error(part.label, inference_reason(classes))
    if range_given:
        return
    if len(scores) >= MIN_COUNTING_ROWS and _count_by_one(scores):
        reason = f"the scores are {scores[0]:g}, {scores[1]:g}, {scores[2]:g} and so on, row by row"
        raise file_error(
            part.label,
            f"{reason}: row numbers or ranks, not similarities; name the columns sentence1, "
            f"sentence2, score, or give --score-range {_as_option(scores)} if they are scores",
        )
    missing = scores == NO_LABEL
    others = scores[~missing]
    if missing.any() and len(others) and others.min() >= 0 and others.max() > 1:
        reason = f"the score is -1, as in {missing.sum()} of {len(scores)} pairs"
        raise row_error(
            part.label,
            int(part.rows[int(missing.argmax())]),
            f"{reason}, and no other is below 0: a missing label? Remove these rows, or give "
            f"--score-range {_as_option(scores)} if they are scores, or leave them out with "
            "--skip-bad",
        )


def without_missing_labels(part: RawPairs) -> RawPairs:
    """`part` without the pairs scored -1, if no other score is below 0; a note counts them."""
    scores = _scores(part)
    missing = scores == NO_LABEL
    others = scores[~missing]
    count = int(missing.sum())
    if not count or not len(others) or others.min() < 0:
        return part
    rows = "1 row is" if count == 1 else f"{count:,} rows are"
    kept = part.take(np.flatnonzero(~missing))
    return replace(kept, notes=(*part.notes, f"{rows} left out: the score is -1, no label"))


def score_notes(parts: Sequence[RawPairs]) -> list[str]:
    """Notes on decisions about the scores that raise no question."""
    values = np.unique(np.concatenate([_scores(part) for part in parts]))
    if values.tolist() == [0, 1]:
        return ["all scores are 0 or 1: 0 is read as not alike, 1 as alike"]
    return []


def score_questions(
    splits: Mapping[str, Sequence[RawPairs]], score_range: tuple[float, float]
) -> list[str]:
    """Questions, one line each, about scores whose range was inferred to be `score_range`."""
    parts = [part for files in splits.values() for part in files]
    scores = np.concatenate([_scores(part) for part in parts])
    lines = [_scale_question(scores, score_range)]
    missing = int((scores == NO_LABEL).sum())
    others = scores[scores != NO_LABEL]
    if missing and len(others) and others.min() >= 0:
        lines.append(
            f"{missing} of {len(scores)} scores are -1 and no other is below 0: are these labels "
            "missing? If so, remove these rows, or leave them out with --skip-bad"
        )
    train = splits.get("train", [])
    if len(splits) > 1 and train:
        of_train = inferred_range(list(train))
        if of_train != score_range:
            shown = f"{of_train[0]:g}..{of_train[1]:g}, not {score_range[0]:g}..{score_range[1]:g}"
            lines.append(
                f"the train scores alone would be taken as {shown}: do all splits use the same "
                "scale? If so, give it with --score-range LOW,HIGH"
            )
    values = np.unique(scores)
    if len(scores) >= MIN_DISTINCT_ROWS and len(values) == len(scores) and _are_whole(scores):
        lines.append(
            f"the {len(scores)} scores are whole numbers and no two are equal: are they ids or "
            "ranks rather than similarities? If so, name the column that holds the scores 'score'"
        )
    return [line for line in lines if line]


def _scale_question(scores: Scores, score_range: tuple[float, float]) -> str:
    """Ask whether the inferred range is the scale of the scores; empty if they fill it."""
    low, high = float(scores.min()), float(scores.max())
    bottom, top = score_range
    share = (high - low) / (top - bottom)
    if share > MIN_FILLED_SHARE:
        return ""
    values = np.unique(scores)
    classes = ""
    if len(values) == 3 and _are_whole(scores):
        classes = " (three whole numbers; if they are classes, they are not scores)"
    return (
        f"scores from {low:g} to {high:g} fill {share:.0%} of the assumed range "
        f"{bottom:g}..{top:g}{classes}: is that their scale? If not, give its ends, for example "
        f"--score-range {_as_option(scores)}"
    )


def _count_by_one(scores: Scores) -> bool:
    """Whether the scores count up or down by one from row to row."""
    steps = np.diff(scores)
    return _are_whole(scores) and bool((steps == 1).all() or (steps == -1).all())


def _are_whole(scores: Scores) -> bool:
    return bool((scores == np.floor(scores)).all())


def _as_option(scores: Scores) -> str:
    """The lowest and the highest score, written as `--score-range` takes them."""
    return f"{scores.min():g},{scores.max():g}"


def _scores(part: RawPairs) -> Scores:
    assert part.scores is not None
    return part.scores
