"""The first pair to ask about, found by words, while the model is still being read."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from nexus_engine.data.questions.weak_pairs import WORD
from nexus_engine.labels.verdicts import pair_key
from nexus_engine.same_text import folded
from nexus_engine.teaching.texts import judgeable_texts

__all__ = ["first_given", "first_pair"]

SAMPLE = 2000
"""Texts that are looked at."""
FEW = 5
"""Texts of the sample that may share a rare word."""
TRIED = 50
"""Texts that are compared with all others where no word is rare: a few hundredths of a second."""


def first_pair(texts: Sequence[str], judged: set[str], seed: int = 0) -> tuple[str, str] | None:
    """Two of `texts` that share most of their rare words, or else most of all their words.

    None if no two share a word. Pairs whose key (`pair_key`) is in `judged` are left out. A sample
    is looked at, by `seed`.
    """
    places = range(len(texts))
    drawn = random.Random(seed).sample(places, min(len(texts), SAMPLE))
    sample = judgeable_texts((texts[place] for place in drawn), SAMPLE)
    words = [set(WORD.findall(folded(text))) for text in sample]
    for pairs in (_by_rare_words(words), _nearest_to_each(words)):
        for pair in pairs:
            first, second = (sample[number] for number in pair)
            if pair_key(first, second) not in judged:
                return first, second
    return None


def _by_rare_words(words: Sequence[set[str]]) -> list[tuple[int, int]]:
    """The pairs that share a rare word, those with the most and rarest first."""
    holders: dict[str, list[int]] = defaultdict(list)
    for number, held in enumerate(words):
        for word in held:
            holders[word].append(number)
    shared: dict[tuple[int, int], float] = defaultdict(float)
    for numbers in holders.values():
        if len(numbers) <= FEW:
            for pair in combinations(numbers, 2):
                shared[pair] += 1 / len(numbers)
    return sorted(shared, key=lambda pair: (-shared[pair], pair))


def _nearest_to_each(words: Sequence[set[str]]) -> Iterator[tuple[int, int]]:
    """For each of the first texts, the later one with which it shares the largest part."""
    for number, held in enumerate(words[:TRIED]):
        others = range(number + 1, len(words))
        shares = [(len(held & words[k]) / len(held | words[k] or {""}), -k) for k in others]
        share, other = max(shares, default=(0.0, 0))
        if share:
            yield number, -other


def first_given(
    texts: Sequence[str], pairs: Sequence[Sequence[int]], judged: set[str], seed: int = 0
) -> tuple[str, str] | None:
    """One of `pairs`, places in `texts`, drawn by `seed`, whose key is not in `judged`."""
    for place in random.Random(seed).sample(range(len(pairs)), len(pairs)):
        first, second = (texts[each] for each in pairs[place])
        if pair_key(first, second) not in judged:
            return first, second
    return None
