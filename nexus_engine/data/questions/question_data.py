"""The shape in which the rest of the engine sees questions and the passages that answer them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nexus_engine.data.questions.answers import Answers, Ragged

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["QuestionData", "QuestionSplit"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class QuestionSplit:
    """Questions of one split, and what is known of their answers."""

    questions: pa.Array
    """(q,) strings, each distinct."""
    answers: Answers
    """Known answers of each question, rows of the corpus."""
    negatives: Ragged
    """Passages of each question that are no answer, rows of the corpus."""

    def __len__(self) -> int:
        return len(self.questions)

    def __repr__(self) -> str:
        # Without the questions: a repr ends up in logs and tracebacks.
        return f"QuestionSplit(n={len(self)})"

    def take(self, chosen: NDArray[np.int64]) -> QuestionSplit:
        """The questions `chosen` (k,), in that order."""
        return QuestionSplit(
            self.questions.take(chosen), self.answers.take(chosen), self.negatives.take(chosen)
        )


@dataclass(frozen=True, slots=True, eq=False)
class QuestionData:
    """Three splits of questions, the corpus they are answered from, and what was decided."""

    name: str
    """For the screen: the file's or folder's name without control characters."""
    source: str
    """The SPEC as it was given."""
    passages: pa.Array
    """(p,) strings, each distinct: every answer, every negative, and the rest of the corpus."""
    train: QuestionSplit
    dev: QuestionSplit
    test: QuestionSplit
    fingerprint: str
    """SHA-256 (hex) of passages, questions and answers, whatever format they came in."""
    notes: tuple[str, ...]
    """What was decided and the user should know, one line each; never a sentence of the data."""
    asked: tuple[str, ...] = ()
    """What the user should answer before training."""
