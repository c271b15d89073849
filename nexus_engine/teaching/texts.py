"""The texts of which pairs are made: short ones as they are, long ones by their sentences."""

from __future__ import annotations

from collections.abc import Iterable

from nexus_engine.data.questions.weak_pairs import LIST_MARK, NOT_PROSE, SENTENCE_END, WORD
from nexus_engine.same_text import folded

__all__ = ["MAX_TEXTS", "judgeable_texts"]

MAX_TEXTS = 100_000
"""Of which pairs are made; the rest of a larger corpus is left out."""
MAX_WORDS = 40
"""A longer text is cut into its sentences: nobody grades a pair of pages."""
MIN_WORDS = 3
"""Of a sentence; what is shorter is a heading or a mark of a list."""


def judgeable_texts(texts: Iterable[str], most: int = MAX_TEXTS) -> list[str]:
    """Distinct texts that a person can judge in pairs, in their order, `most` of them.

    Texts that differ in case or white space alone count as one.
    """
    kept: dict[str, str] = {}
    for text in texts:
        for piece in _pieces(text):
            kept.setdefault(folded(piece), piece)
            if len(kept) == most:
                return list(kept.values())
    return list(kept.values())


def _pieces(text: str) -> Iterable[str]:
    """The text, or its sentences where it is long; none of what holds no word."""
    words = len(text.split())
    if words <= MAX_WORDS and "\n" not in text:
        return [text.strip()] if WORD.search(text) else []
    sentences = []
    for line in text.split("\n"):
        for part in SENTENCE_END.split(line):
            sentence = LIST_MARK.sub("", " ".join(part.split()))
            if MIN_WORDS <= len(sentence.split()) <= MAX_WORDS and not NOT_PROSE.search(part):
                sentences.append(sentence)
    return sentences
