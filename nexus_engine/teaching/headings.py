"""Questions that nobody wrote: the headings of documents, or the names of documents."""

from __future__ import annotations

from nexus_engine.data.questions.weak_pairs import MAX_ANSWERS, TitledBody, asking_title
from nexus_engine.same_text import folded
from nexus_engine.scoring.search_texts import SearchTexts

__all__ = ["heading_questions"]

SEPARATOR = " > "
"""Between the headings above a passage, in `Documents.headings`."""


def heading_questions(corpus: SearchTexts) -> list[str]:
    """A question for each heading of the documents of `corpus`, in their order; [] without any.

    It is made as a weak pair is made for training: of the two innermost headings. A heading that
    stands above many passages ("Overview") asks for none of them and is left out.
    """
    documents = corpus.documents
    if documents is None:
        return []
    titles: dict[str, str] = {}
    times: dict[str, int] = {}
    for text, number, path in zip(
        corpus.sentences, documents.numbers.tolist(), documents.headings, strict=True
    ):
        headings = path.split(SEPARATOR) if path else []
        passage = TitledBody(": ".join(headings[-2:]), text, documents.names[number])
        title = asking_title(passage)
        if title:
            key = folded(title)
            titles.setdefault(key, title)
            times[key] = times.get(key, 0) + 1
    return [title for key, title in titles.items() if times[key] <= MAX_ANSWERS]
