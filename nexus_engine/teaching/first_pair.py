"""The first pair to ask about, found by words, while the model is still being read."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

from nexus_engine.data.questions.weak_pairs import WORD
from nexus_engine.labels.verdicts import pair_key
from nexus_engine.same_text import folded
from nexus_engine.teaching.texts import judgeable_texts

__all__ = ["first_given", "first_pair"]

SAMPLE = 2000
"""Texts that are looked at."""
FEW = 5
"""Texts of the sample that may share a word; a commoner word says little."""


def first_pair(texts: Sequence[str], judged: set[str], seed: int = 0) -> tuple[str, str] | None:
    """Two of `texts` that share most of their rare words; None if no two share any.

    Pairs whose key (`pair_key`) is in `judged` are left out. A sample is looked at, by `seed`.
    """
    places = range(len(texts))
    drawn = random.Random(seed).sample(places, min(len(texts), SAMPLE))
    sample = judgeable_texts((texts[place] for place in drawn), SAMPLE)
    holders: dict[str, list[int]] = defaultdict(list)
    for number, text in enumerate(sample):
        for word in set(WORD.findall(folded(text))):
            holders[word].append(number)
    shared: dict[tuple[int, int], float] = defaultdict(float)
    for numbers in holders.values():
        if len(numbers) <= FEW:
            for pair in combinations(numbers, 2):
                shared[pair] += 1 / len(numbers)
    for pair in sorted(shared, key=lambda pair: (-shared[pair], pair)):
        first, second = (sample[number] for number in pair)
        if pair_key(first, second) not in judged:
            return first, second
    return None


def first_given(
    texts: Sequence[str], pairs: Sequence[Sequence[int]], judged: set[str], seed: int = 0
) -> tuple[str, str] | None:
    """One of `pairs`, places in `texts`, drawn by `seed`, whose key is not in `judged`."""
    for place in random.Random(seed).sample(range(len(pairs)), len(pairs)):
        first, second = (texts[each] for each in pairs[place])
        if pair_key(first, second) not in judged:
            return first, second
    return None
