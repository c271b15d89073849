"""The words in which two similar texts differ: a number, a negation, a date."""

from __future__ import annotations

import difflib
import re

__all__ = ["differing_spans"]

MIN_RATIO = 0.5
"""Texts that share fewer of their words are different throughout; nothing is marked in them."""
MAX_WORDS = 300
"""Words of a text that are compared: the comparison takes quadratic time."""

Span = tuple[int, int]
"""Start and end of a word, in characters."""


def differing_spans(first: str, second: str) -> tuple[list[Span], list[Span]]:
    """The spans of the words of each text that the other one lacks; none if they share few words.

    Case and punctuation around a word do not count.
    """
    sides = [_words(first), _words(second)]
    names = [[word for word, _ in side] for side in sides]
    matcher = difflib.SequenceMatcher(None, names[0], names[1], autojunk=False)
    if not all(names) or matcher.ratio() < MIN_RATIO:
        return [], []
    spans: tuple[list[Span], list[Span]] = ([], [])
    for tag, a_start, a_end, b_start, b_end in matcher.get_opcodes():
        if tag != "equal":
            spans[0].extend(span for _, span in sides[0][a_start:a_end])
            spans[1].extend(span for _, span in sides[1][b_start:b_end])
    return spans


def _words(text: str) -> list[tuple[str, Span]]:
    found = []
    for match in re.finditer(r"\S+", text):
        word = match.group().casefold().strip(".,;:!?()[]\"'")
        if word:
            found.append((word, match.span()))
        if len(found) == MAX_WORDS:
            break
    return found
