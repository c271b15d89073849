"""Numbers that may be no graded similarity: missing labels, classes, row numbers, another scale.

What is surely none is refused; what may be none is asked about before anything is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from nexus_engine.data.classes import inference_classes, inference_reason
from nexus_engine.data.messages import file_error, row_error
from nexus_engine.data.ranges import found_range
from nexus_engine.data.reading.raw_pairs import RawPairs

__all__ = ["is_unlabelled", "questions", "refuse_no_scores", "score_notes"]

NO_LABEL = -1.0
"""What stands for a missing label in the GLUE sets and others on the Hub."""
FEWEST_COUNTED = 20
"""Over fewer rows, scores that count by one may be every mark of a scale, each given once."""
FEWEST_DISTINCT = 30
"""Of so many whole-number grades two are equal; ids and ranks never are."""
FILLED_SHARE = 0.6
"""Of a range that was found: scores that fill no more of it are asked about."""

Scores = npt.NDArray[np.float64]


def is_unlabelled(parts: Sequence[RawPairs]) -> bool:
    """Whether every score of a split's files is -1, which stands for a missing label."""
    return all(part.scores is not None and bool((part.scores == NO_LABEL).all()) for part in parts)


def refuse_no_scores(part: RawPairs, *, range_given: bool) -> None:
    """DataError for numbers that cannot be graded similarities, with file, row and what to do.

    Row numbers, and -1 for some labels, are taken for scores where the user named their range.
    """
    scores = _scores(part)
    classes = inference_classes(part.sentence_names, scores)
    if classes:
        raise file_error(part.label, inference_reason(classes))
    if range_given:
        return
    if len(scores) >= FEWEST_COUNTED and _counts(scores):
        reason = f"the scores are {scores[0]:g}, {scores[1]:g}, {scores[2]:g} and so on, row by row"
        raise file_error(
            part.label,
            f"{reason}: row numbers or ranks, not similarities; name the columns sentence1, "
            f"sentence2, score, or give --score-range {_pair(scores)} if they are scores",
        )
    missing = scores == NO_LABEL
    rest = scores[~missing]
    if missing.any() and len(rest) and rest.min() >= 0 and rest.max() > 1:
        found = f"the score is -1, as in {missing.sum()} of {len(scores)} pairs"
        raise row_error(
            part.label,
            int(part.rows[int(missing.argmax())]),
            f"{found}, and no other is below 0: a missing label? Remove these rows, or give "
            f"--score-range {_pair(scores)} if they are scores",
        )


def score_notes(parts: Sequence[RawPairs]) -> list[str]:
    """What is decided about the scores and raises no doubt."""
    values = np.unique(np.concatenate([_scores(part) for part in parts]))
    if values.tolist() == [0, 1]:
        return ["the scores are 0 and 1 alone: 0 is read as not alike, 1 as alike"]
    return []


def questions(
    splits: Mapping[str, Sequence[RawPairs]], score_range: tuple[float, float]
) -> list[str]:
    """Questions, a line each, about scores whose range was found to be `score_range`."""
    parts = [part for files in splits.values() for part in files]
    scores = np.concatenate([_scores(part) for part in parts])
    asked = [_scale_question(scores, score_range)]
    missing = int((scores == NO_LABEL).sum())
    rest = scores[scores != NO_LABEL]
    if missing and len(rest) and rest.min() >= 0:
        asked.append(
            f"{missing} of {len(scores)} scores are -1 and no other is below 0: are these labels "
            "missing? If so, remove these rows"
        )
    train = splits.get("train", [])
    if len(splits) > 1 and train:
        alone = found_range(list(train))
        if alone != score_range:
            shown = f"{alone[0]:g}..{alone[1]:g}, not {score_range[0]:g}..{score_range[1]:g}"
            asked.append(
                f"the train scores alone would be taken as {shown}: are the splits' scores on one "
                "scale? If so, name it with --score-range LOW,HIGH"
            )
    values = np.unique(scores)
    if len(scores) >= FEWEST_DISTINCT and len(values) == len(scores) and _whole(scores):
        asked.append(
            f"the {len(scores)} scores are whole numbers and no two are equal: are they ids or "
            "ranks rather than similarities? If so, name the column of the scores score"
        )
    return [question for question in asked if question]


def _scale_question(scores: Scores, score_range: tuple[float, float]) -> str:
    """Whether the range that was found is the scores' scale; empty where they fill it."""
    low, high = float(scores.min()), float(scores.max())
    bottom, top = score_range
    share = (high - low) / (top - bottom)
    if share > FILLED_SHARE:
        return ""
    values = np.unique(scores)
    classes = ""
    if len(values) == 3 and _whole(scores):
        classes = " (three whole numbers; if they are classes, they are no scores)"
    return (
        f"scores from {low:g} to {high:g} fill {share:.0%} of the range {bottom:g}..{top:g} that "
        f"was taken for them{classes}: is that their scale? If not, give its ends, for example "
        f"--score-range {_pair(scores)}"
    )


def _counts(scores: Scores) -> bool:
    """Whether the scores count up or down by one from row to row."""
    steps = np.diff(scores)
    return _whole(scores) and bool((steps == 1).all() or (steps == -1).all())


def _whole(scores: Scores) -> bool:
    return bool((scores == np.floor(scores)).all())


def _pair(scores: Scores) -> str:
    """The lowest and the highest as `--score-range` takes them."""
    return f"{scores.min():g},{scores.max():g}"


def _scores(part: RawPairs) -> Scores:
    assert part.scores is not None
    return part.scores
