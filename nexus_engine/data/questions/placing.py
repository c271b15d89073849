"""Find the passages of documents in which the answers of questions stand.

An answer is looked for in the text of each document, case folded and with each run of white space
as one space, so that it may run over the border of two passages. Its rarest word tells in which
documents to look.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from operator import itemgetter
from pathlib import PurePosixPath

from nexus_engine.data.messages import row_error
from nexus_engine.data.questions.documents import SUFFIXES, Passage
from nexus_engine.data.questions.gathering import Gathered
from nexus_engine.data.questions.records import AnswerPlace
from nexus_engine.same_text import folded

__all__ = ["DocumentTexts"]

MIN_OVERLAP = 0.5
"""Of the answer, or of the passage: a passage that holds less is not an answer."""
MAX_PLACES = 5
"""An answer that stands in more passages ("yes") is found in none."""


class DocumentTexts:
    """The documents that were cut, as text in which answers are found."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._spans: list[list[tuple[int, int, int]]] = []
        """Of each document's passages: start and end in its text, and the row in the corpus."""
        self._headings: list[list[tuple[str, ...]]] = []
        self._by_name: dict[str, list[int]] = {}

    def add(self, passages: Sequence[Passage], rows: Sequence[int]) -> None:
        """Add the passages of one document, of which there is at least one."""
        parts = [folded(passage.body) for passage in passages]
        spans, at = [], 0
        for part, row in zip(parts, rows, strict=True):
            spans.append((at, at + len(part), row))
            at += len(part) + 1
        name = PurePosixPath(passages[0].source.casefold())
        # By its whole path, without its suffix, and by its last part alone.
        for key in {str(name), str(name.with_suffix("")), name.name, name.stem}:
            self._by_name.setdefault(key, []).append(len(self._texts))
        self._texts.append(" ".join(parts))
        self._spans.append(spans)
        self._headings.append(
            [tuple(folded(heading) for heading in passage.headings) for passage in passages]
        )

    def settle(self, into: Gathered, places: Sequence[AnswerPlace]) -> int:
        """Gather the answer of each place; the number of answers that stand in no document.

        These become passages of their own. Raises DataError, with the row, for a source that is no
        document, or two, and for a heading that it does not have.
        """
        places = [self._by_file(place) for place in places]
        chosen = [self._chosen(place) for place in places]
        documents = self._likely([place.text for place in places])
        apart = 0
        for place, sections, likely in zip(places, chosen, documents, strict=True):
            if not place.text:
                rows = [row for _, _, row in sections or []]
            else:
                rows = self._rows_of(place.text, sections, likely)
                if not rows:
                    apart += 1
                    rows = [into.passages.add(place.text)]
            for row in rows:
                if place.is_answer:
                    into.answer(place.question, row)
                else:
                    into.negative(place.question, row)
        return apart

    def _by_file(self, place: AnswerPlace) -> AnswerPlace:
        """`place` with the document as its source whose file's name stands for the answer."""
        if place.text.lower().endswith(SUFFIXES) and place.text.casefold() in self._by_name:
            return place._replace(source=place.text, text="")
        return place

    def _chosen(self, place: AnswerPlace) -> list[tuple[int, int, int]] | None:
        """The document, first passage and row of what a source and heading name; None without."""
        name = place.source.casefold().removeprefix("./")
        if not name:
            return None
        documents = self._by_name.get(name, [])
        if len(documents) != 1:
            reason = "is not a document of the folder" if not documents else "is two documents"
            advice = "give its path in the folder"
            raise row_error(place.label, place.row, f"the source {reason}; {advice}")
        document = documents[0]
        spans, headings = self._spans[document], self._headings[document]
        heading = folded(place.heading.lstrip("#"))
        rows = [
            (document, number, row)
            for number, (_, _, row) in enumerate(spans)
            if not heading or heading in headings[number]
        ]
        if not rows:
            reason = "the heading is not one of its document"
            raise row_error(place.label, place.row, f"{reason}; correct it, or leave it out")
        return rows

    def _likely(self, answers: Sequence[str]) -> list[list[int]]:
        """The documents that hold the rarest word of each answer."""
        words = [_whole_words(answer) for answer in answers]
        wanted = {word for each in words for word in each}
        held = [wanted.intersection(text.split()) for text in self._texts]
        times = Counter(word for each in held for word in each)
        rarest = [min(each, key=lambda word: times[word], default="") for each in words]
        lists: dict[str, list[int]] = {word: [] for word in rarest}
        for document, each in enumerate(held):
            for word in each:
                if word in lists:
                    lists[word].append(document)
        return [lists[word] for word in rarest]

    def _rows_of(
        self, answer: str, sections: list[tuple[int, int, int]] | None, likely: Iterable[int]
    ) -> list[int]:
        """The passages in which `answer` stands, of those in `sections` where they are given."""
        text = folded(answer)
        rows: dict[int, None] = {}
        allowed = None if sections is None else {(doc, number) for doc, number, _ in sections}
        for document in likely if sections is None else {sections[0][0]}:
            at = self._texts[document].find(text)
            while at >= 0:
                spans = self._spans[document]
                first = max(bisect_right(spans, at, key=itemgetter(0)) - 1, 0)
                last = bisect_right(spans, at + len(text), key=itemgetter(0))
                for number in range(first, last):
                    start, end, row = spans[number]
                    shared = min(end, at + len(text)) - max(start, at)
                    is_most = shared >= MIN_OVERLAP * min(len(text), end - start)
                    if is_most and (allowed is None or (document, number) in allowed):
                        rows[row] = None
                if len(rows) > MAX_PLACES and len(text.split()) < MAX_PLACES:
                    return []
                at = self._texts[document].find(text, at + 1)
        return list(rows)


def _whole_words(answer: str) -> list[str]:
    """The words of an answer that are no parts of words; all where it has only two."""
    words = folded(answer).split()
    return words[1:-1] if len(words) > 2 else words
