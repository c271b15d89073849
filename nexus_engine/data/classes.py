"""Recognise class labels in the place of scores: classes have no order of similarity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["GIVE_SCORES", "class_word_reason", "inference_classes", "inference_reason"]

GIVE_SCORES = "write scores in their place, or rename another column to score"
"""What to do about a column of classes."""
AS_SCORES = "(entailment 1, neutral 0.5, contradiction 0)"

INFERENCE_NAMES = ("premise", "hypothesis")
INFERENCE_CLASSES = (-1, 0, 1, 2)
"""The numbering of the NLI sets on the Hub: 0 entailment, 1 neutral, 2 contradiction, -1 no label.
Read as scores, they would teach the model that contradictions are alike."""

INFERENCE_WORDS = frozenset(
    {"entailment", "neutral", "contradiction", "notentailment", "nonentailment", "entails"}
)
BINARY_WORDS = frozenset(
    {"true", "false", "yes", "no", "duplicate", "notduplicate", "paraphrase", "notparaphrase"}
    | {"equivalent", "notequivalent", "similar", "dissimilar", "notsimilar"}
)


def inference_classes(names: Sequence[str], scores: npt.NDArray[np.float64]) -> tuple[int, ...]:
    """The class numbers in `scores` (n,) if the columns are a premise and a hypothesis, else empty.

    `names` are the squeezed names of the two sentence columns. Labels of only 0 and 1 are no
    classes: they can be scores, 0 for pairs that are not alike.
    """
    if tuple(names) != INFERENCE_NAMES or 2 not in scores:
        return ()
    classes = np.unique(scores)
    if not np.isin(classes, INFERENCE_CLASSES).all():
        return ()
    return tuple(int(value) for value in classes)


def inference_reason(classes: Sequence[int]) -> str:
    """Say why the numbers of `inference_classes` are refused, and what to do."""
    shown = ", ".join(map(str, classes))
    return (
        f"premise and hypothesis with the classes {shown}, which are not scores; map them to "
        f"scores {AS_SCORES}, or, if they are grades, name the columns sentence1, sentence2, score"
    )


def class_word_reason(cell: object) -> str | None:
    """Say why a word that names a class is not a score, and what to do; None for any other cell.

    Only words of the tables above are quoted, so no text of the data reaches a message.
    """
    word = "".join(cell.split()).casefold() if isinstance(cell, str) and len(cell) < 40 else ""
    squeezed = word.replace("_", "").replace("-", "")
    if squeezed in INFERENCE_WORDS:
        advice = f"write scores {AS_SCORES}, or rename another column to score"
        return f"the score is the class {word}; {advice}"
    if squeezed in BINARY_WORDS:
        return f"the score is the word {word}; write 1 for pairs that are alike, 0 for the others"
    return None
