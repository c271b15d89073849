"""What is asked: a pair of texts, or a question with the passages found for it.

They have no repr, so that no text of the user reaches a log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nexus_tui.app.kit.label_book import PairAnswer, PassageAnswer
from nexus_tui.charts.teach.search_card import Mark

if TYPE_CHECKING:
    from nexus_engine.labels.verdicts import Verdict

__all__ = ["Item", "PairItem", "Passage", "SearchItem"]


@dataclass(slots=True, repr=False, kw_only=True)
class PairItem:
    """Two texts and why they are asked. `said` is the answer in words, "" before it is given."""

    first: str
    second: str
    reason: str
    cosine: float | None = None
    base_cosine: float | None = None
    asked: tuple[str, str] | None = None
    """The texts as they were asked, where the user has edited them."""
    said: str = ""

    @property
    def key(self) -> str:
        """What tells the pair from others in a label file."""
        from nexus_engine.labels.verdicts import pair_key

        return pair_key(self.first, self.second)

    def answer(self, *, grade: int | None = None, same: bool | None = None,
               aside: str | None = None) -> PairAnswer:  # fmt: skip
        """The answer to write."""
        from nexus_engine.labels.verdicts import pair_key

        asked = None if self.asked is None else pair_key(*self.asked)
        return PairAnswer(self.first, self.second, grade, same, aside, asked)  # type: ignore[arg-type]

    def same_as(self, other: Item) -> bool:
        """Whether `other` asks the same."""
        return isinstance(other, PairItem) and {self.first, self.second} == {
            other.first,
            other.second,
        }

    def is_about(self, verdict: Verdict) -> bool:
        """Whether `verdict` is an answer to this item."""
        from nexus_engine.labels.verdicts import PairVerdict

        return isinstance(verdict, PairVerdict) and {verdict.a, verdict.b} == {
            self.first,
            self.second,
        }


@dataclass(slots=True, repr=False, frozen=True)
class Passage:
    """A passage, the document that it was cut from, and the headings above it, "" without any."""

    text: str
    document: str = ""
    heading: str = ""


@dataclass(slots=True, repr=False, kw_only=True)
class SearchItem:
    """A question, the passages nearest to it, and what the user said of each."""

    question: str
    passages: list[Passage]
    reason: str = ""
    marks: list[Mark] = field(default_factory=list)
    cursor: int = 0
    asked: str | None = None
    """The question as it was asked, where the user has edited it."""

    def __post_init__(self) -> None:
        if not self.marks:
            self.marks = [""] * len(self.passages)

    def answer(
        self, place: int, *, relevant: bool | None = None, aside: str | None = None
    ) -> PassageAnswer:
        """The answer to write about the passage at `place`."""
        from nexus_engine.labels.verdicts import search_key

        passage = self.passages[place]
        asked = None if self.asked is None else search_key(self.asked, passage.text)
        return PassageAnswer(
            self.question, passage.text, passage.document or None, relevant, aside, asked  # type: ignore[arg-type]
        )  # fmt: skip

    def same_as(self, other: Item) -> bool:
        """Whether `other` asks the same."""
        return isinstance(other, SearchItem) and other.question == self.question

    def is_about(self, verdict: Verdict) -> bool:
        """Whether `verdict` is an answer to this item."""
        from nexus_engine.labels.verdicts import SearchVerdict

        return isinstance(verdict, SearchVerdict) and verdict.question == self.question

    def point_at(self, verdict: Verdict) -> None:
        """Put the cursor on the passage of `verdict`."""
        text = getattr(verdict, "passage", None)
        for place, passage in enumerate(self.passages):
            if passage.text == text:
                self.cursor = place

    def set_mark(self, place: int, mark: Mark) -> None:
        """Mark a passage; the cursor goes to the next one without a mark, if there is one."""
        self.marks[place] = mark
        places = [*range(place + 1, len(self.marks)), *range(place)]
        self.cursor = next((other for other in places if not self.marks[other]), place)


Item = PairItem | SearchItem
