"""The texts that a search looks through: lines of a text file, or the passages of a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nexus_engine.data.questions.answers import Answers
from nexus_engine.data.questions.question_data import Origins
from nexus_engine.same_text import folded

__all__ = ["Documents", "KnownQuestions", "SearchTexts"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Documents:
    """The documents that passages were cut from. `repr` does not show them."""

    numbers: npt.NDArray[np.int64]
    """(n,) the document of each text, from 0, in rising order of their first passages. A text
    outside all documents is one of its own."""
    names: Sequence[str]
    """Of each document, its path in its folder; "" for a text outside all documents."""
    headings: Sequence[str]
    """Of each text, the headings above it; "" without any."""

    @classmethod
    def of(cls, sources: Sequence[str], headings: Sequence[str]) -> Documents:
        """From the document of each text, "" without one, and the headings above it."""
        numbers: list[int] = []
        names: list[str] = []
        known: dict[str, int] = {}
        for source in sources:
            number = known.get(source) if source else None
            if number is None:
                number = len(names)
                names.append(source)
                if source:
                    known[source] = number
            numbers.append(number)
        return cls(np.asarray(numbers, np.int64), names, headings)

    @classmethod
    def of_origins(cls, origins: Origins) -> Documents:
        """From where each passage of questions beside documents comes from."""
        return cls.of(origins.sources.to_pylist(), origins.headings.to_pylist())


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class KnownQuestions:
    """Questions whose answers among the texts are known. `repr` does not show them."""

    texts: Sequence[str]
    splits: Sequence[str]
    """Of each question: test, dev or train."""
    answers: Answers
    """Of each question, as places among the searched texts."""
    _places: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for place, text in enumerate(self.texts):
            self._places.setdefault(folded(text), place)

    def __len__(self) -> int:
        return len(self.texts)

    def place_of(self, query: str) -> int | None:
        """The question that `query` is, whatever its case and white space; None for another."""
        return self._places.get(folded(query))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SearchTexts:
    """The distinct texts to search, in their order. `repr` does not show them."""

    label: str
    """The name of the file or folder for messages, printable."""
    sentences: Sequence[str]
    lines: Sequence[int]
    """The number, from 1, of the first line with each text, or of the passage."""
    times: Sequence[int]
    """The number of lines or passages with each text."""
    unit: str = "line"
    """What `lines` count: line or passage."""
    documents: Documents | None = None
    """None where no text was cut from a document."""
    questions: KnownQuestions | None = None

    def __len__(self) -> int:
        return len(self.sentences)
