"""Where the pairs come from that may be asked: a file of pairs, or texts that lie near each other.

A source looks at its texts step by step. What it finds is a place in the texts for each sentence;
both are embedded by then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from nexus_engine.teaching.differences import Difference, bare, only_difference
from nexus_engine.teaching.embedded_texts import EmbeddedTexts

__all__ = ["FoundPair", "GivenPairs", "MinedPairs", "PairSource"]

Indices = npt.NDArray[np.int64]
Check = Callable[[], None]

FIRST_TEXTS = 64
"""Texts that are embedded before the first question, so that it comes soon."""
TEXTS_PER_STEP = 96
ANCHORS_PER_STEP = 16
MAX_EMBEDDED = 50_000
"""Texts that are embedded at most, drawn at random: 38 MB for each model."""
LEVELS = (1.0, 0.8, 0.65, 0.5, 0.35)
"""Cosines of the pairs that are made of one text, as far as there are some so near."""
LEVEL_WIDTH = 0.1
"""A pair stands for a level if its cosine is no farther from it; the nearest text always does."""
TEXTS_COMPARED_FIRST = 1000
TEXTS_PER_COMPARISON = 4000
"""Texts that are compared without numbers, dates and negations in one step."""
MAX_ALIKE = 2000
"""Pairs that differ in such a thing alone, at most."""
MAX_OF_ONE_FORM = 4
"""Pairs of one form ("order # arrived"), at most: a template would fill all."""


class FoundPair(NamedTuple):
    """Two places in the texts; `differs` in a number, a date or a negation alone."""

    first: int
    second: int
    differs: Difference | None = None


class PairSource(Protocol):
    """Finds pairs of texts."""

    texts: EmbeddedTexts

    @property
    def is_complete(self) -> bool:
        """Whether every text was looked at."""

    def advance(self, check: Check) -> list[FoundPair]:
        """Look at some more texts and return what was found; `check` may raise to stop."""


class GivenPairs:
    """The pairs of a file, (n, 2) places in the texts, in random order."""

    def __init__(self, texts: EmbeddedTexts, pairs: Indices, random: np.random.Generator) -> None:
        self.texts = texts
        self._pairs = random.permutation(pairs)[: MAX_EMBEDDED // 2]
        self._done = 0

    @property
    def is_complete(self) -> bool:
        """Whether all pairs are embedded."""
        return self._done == len(self._pairs)

    def advance(self, check: Check) -> list[FoundPair]:
        """Embed the next pairs."""
        count = (TEXTS_PER_STEP if self._done else FIRST_TEXTS) // 2
        chosen = self._pairs[self._done : self._done + count]
        self.texts.add(chosen.reshape(-1), check)
        self._done += len(chosen)
        sentences = self.texts.texts
        return [
            FoundPair(first, second, only_difference(sentences[first], sentences[second]))
            for first, second in chosen.tolist()
        ]


class MinedPairs:
    """Pairs of neighbours at several distances, and pairs that differ in one thing alone.

    Texts are looked at in random order, so that a topic comes as often as the texts are about it.
    """

    def __init__(self, texts: EmbeddedTexts, random: np.random.Generator) -> None:
        self.texts = texts
        self._random = random
        self._order = random.permutation(len(texts.texts))
        self._embedded = 0
        self._compared = 0
        self._alike = 0
        self._forms: dict[int, list[int]] = {}
        """The places of the first texts of each form, by the form's hash."""

    @property
    def is_complete(self) -> bool:
        """Whether all texts were compared, and as many embedded as may be."""
        total = len(self._order)
        return self._compared == total and self._embedded == min(total, MAX_EMBEDDED)

    def advance(self, check: Check) -> list[FoundPair]:
        """Embed some texts and find neighbours; compare some texts for what they differ in."""
        is_first = not self._embedded
        count = FIRST_TEXTS if is_first else TEXTS_PER_STEP
        end = min(self._embedded + count, len(self._order), MAX_EMBEDDED)
        self.texts.add(self._order[self._embedded : end], check)
        self._embedded = end
        among = self.texts.places
        anchors = (
            among
            if is_first
            else self._random.choice(among, min(ANCHORS_PER_STEP, len(among)), replace=False)
        )
        return [*self._neighbours(anchors), *self._differing(check)]

    def _neighbours(self, anchors: Indices) -> list[FoundPair]:
        """For each anchor a text at each level of similarity that has one.

        Pairs that differ in one thing alone are left to `_differing`, which bounds their number.
        """
        places = self.texts.places
        if len(places) < 2:
            return []
        cosines = self.texts.cosines(self.texts.vectors(anchors))
        cosines[anchors[:, None] == places[None, :]] = -2.0
        found: dict[tuple[int, int], None] = {}
        for level in LEVELS:
            gaps = np.abs(cosines - level)
            best = gaps.argmin(1)
            for anchor, column, gap in zip(
                anchors.tolist(), best.tolist(), gaps.min(1).tolist(), strict=True
            ):
                if level == LEVELS[0] or gap <= LEVEL_WIDTH:
                    other = int(places[column])
                    found[min(anchor, other), max(anchor, other)] = None
        texts = self.texts.texts
        return [
            FoundPair(first, second)
            for first, second in found
            if only_difference(texts[first], texts[second]) is None
        ]

    def _differing(self, check: Check) -> list[FoundPair]:
        """Pairs among the next texts, and with earlier ones, that differ in one thing alone."""
        found: list[FoundPair] = []
        count = TEXTS_PER_COMPARISON if self._compared else TEXTS_COMPARED_FIRST
        end = min(self._compared + count, len(self._order))
        for number, place in enumerate(self._order[self._compared : end].tolist()):
            if not number % 500:
                check()
            form = bare(self.texts.texts[place])
            if form is None or self._alike >= MAX_ALIKE:
                continue
            earlier = self._forms.setdefault(hash(form), [])
            if len(earlier) > MAX_OF_ONE_FORM:
                continue
            for other in earlier[-1:]:
                differs = only_difference(self.texts.texts[other], self.texts.texts[place])
                if differs is not None:
                    found.append(FoundPair(other, place, differs))
            earlier.append(place)
        self._compared = end
        self._alike += len(found)
        self.texts.add(np.asarray([p for pair in found for p in pair[:2]], np.int64), check)
        return found
