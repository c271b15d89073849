"""The shape in which the rest of the engine sees questions and the passages that answer them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nexus_engine.data.questions.answers import Answers, Ragged

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Origins", "QuestionData", "QuestionSplit", "ReadingCounts"]


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


class ReadingCounts(NamedTuple):
    """What was met while the files were read."""

    rows: int
    """Records, or judgements."""
    skipped: int = 0
    """Rows left out as `--skip-bad` asks."""
    repeated: int = 0
    """Answers that were given before for the same question."""
    respelled: int = 0
    """Texts that differ from an earlier one in case or white space alone, and count as it."""
    moved: int = 0
    """Rows whose question another split has."""
    contradicted: int = 0
    """Passages given as answer and as negative of one question; they count as answers."""
    unanswered: int = 0
    """Questions without an answer, which are left out."""
    dropped: int = 0
    """Questions left out by the cut because their answers lie in two splits."""


NOTHING_READ = ReadingCounts(0)


class Origins(NamedTuple):
    """Where each passage comes from, for a corpus that was cut from documents."""

    sources: pa.Array
    """(p,) strings: the document's path in its folder; "" for a passage of a questions file."""
    starts: NDArray[np.int64]
    """(p,) the character of the document at which the passage starts; -1 without a document."""
    headings: pa.Array
    """(p,) strings: the headings above the passage, outermost first, joined by " > "."""

    def __repr__(self) -> str:
        # Without headings and names, which are the user's words.
        return f"Origins(n={len(self.starts)})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class QuestionData:
    """Three splits of questions, the corpus they are answered from, and what was decided."""

    name: str
    """For display: `demo-search`, or the file's or folder's name without control characters."""
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
    weak_train: QuestionSplit | None = None
    """Pairs that the passages hold by themselves, for a first stage; None where there are none.

    Where `train` has no question they are all that is trained on. Their answers are rows of
    `weak_passages`: they are no part of the corpus, and nothing is judged on them.
    """
    weak_passages: pa.Array | None = None
    """(w,) strings, each distinct."""
    origins: Origins | None = None
    """None for a corpus that was not cut from documents."""
    counts: ReadingCounts = NOTHING_READ
    labels: str = ""
    """Of a label file, the SHA-256 (hex) of its verdicts; "" for other data."""

    def __repr__(self) -> str:
        # Without a text: a repr ends up in logs and tracebacks.
        sizes = f"train={len(self.train)}, dev={len(self.dev)}, test={len(self.test)}"
        return f"QuestionData(passages={len(self.passages)}, {sizes})"

    @property
    def summary(self) -> str:
        """What was recognised, in one line."""
        return self.notes[0]
