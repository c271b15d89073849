"""The part of each verdict: train, dev or test, decided when it is given and never changed.

A question has the part that its hash gives, and so have all its passages: it is the same in every
file and for every rater. A pair takes the part of an earlier pair with which it shares a sentence,
so that no sentence lies in two parts; a pair that shares none takes what its hash gives.
"""

from __future__ import annotations

from nexus_engine.labels.verdicts import (
    PairVerdict,
    Part,
    Verdict,
    pair_key,
    question_key,
    text_key,
)

__all__ = ["HELD_OUT_ONE_IN", "Parts"]

HELD_OUT_ONE_IN = 10
"""Of the hashes, one in so many goes to dev and one to test."""


class Parts:
    """Decides parts from the verdicts so far, those included that were replaced or undone."""

    def __init__(self) -> None:
        self._of_pair: dict[str, Part] = {}
        self._of_text: dict[str, Part] = {}

    def note(self, verdict: Verdict) -> None:
        """Take in a verdict that has its part."""
        if isinstance(verdict, PairVerdict):
            self._of_pair.setdefault(pair_key(verdict.a, verdict.b), verdict.part)
            if verdict.part != "unused":
                for text in (verdict.a, verdict.b):
                    self._of_text.setdefault(text_key(text), verdict.part)

    def of_pair(self, a: str, b: str) -> Part:
        """The part of a pair: that of its sentences, "unused" where they have two."""
        key = pair_key(a, b)
        known = self._of_pair.get(key)
        if known is not None:
            return known
        parts = {self._of_text[text] for text in map(text_key, (a, b)) if text in self._of_text}
        if len(parts) > 1:
            return "unused"
        return parts.pop() if parts else _part_of_hash(key)

    def of_question(self, question: str) -> Part:
        """The part of a question, with all its passages."""
        return _part_of_hash(question_key(question))


def _part_of_hash(key: str) -> Part:
    place = int(key[:15], 16) % HELD_OUT_ONE_IN
    return "dev" if place == 0 else "test" if place == 1 else "train"
