"""Cutting dev and test from one file so that no sentence stands in two splits.

Pairs that share a sentence, directly or through others, form a component, and components go to a
split whole: in an order drawn from the seed, each to that of dev and test which still lacks most
of its tenth, if it fits, else to train. Nothing is lost.

Where components are so large that dev or test gets less than half of its tenth, those larger than
a tenth are taken apart: their sentences are gathered into clusters along the pairs, pairs of rare
sentences first, up to a twentieth of the file each; clusters are then dealt out as components were,
and the pairs whose sentences came to lie in two splits are dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nexus_engine.data.sentence_ids import NumberedPairs

__all__ = ["Cut", "cut_splits"]

HELD_OUT_SHARE = 0.1
"""Of the pairs, for each of dev and test."""
CLUSTER_SHARE = HELD_OUT_SHARE / 2
"""Of the pairs' ends, at most, in one cluster of a component that is taken apart."""
CLUSTER_ENDS = 8
"""A cluster may always grow to this, else small files fall into single sentences."""
FEWEST = 2
"""Pairs in a split: Spearman needs two."""
ATTEMPTS = 16
"""Orders tried: in a small file chance may give dev two pairs with the same score."""

DROPPED = -1

Groups = NDArray[np.int64]
Chooser = Callable[[NDArray[np.int8]], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Which split each pair went to."""

    split: NDArray[np.int8]
    """(n,) 0 for what stays, 1, 2, ... for the splits asked for in their order, -1 dropped."""

    @property
    def dropped(self) -> int:
        """Pairs that were dropped because their sentences lie in two splits."""
        return int((self.split == DROPPED).sum())


def cut_splits(
    pairs: NumberedPairs,
    *,
    wanted: int,
    seed: int,
    usable: Chooser,
    barred: NDArray[np.bool_] | None = None,
) -> Cut | None:
    """Cut `wanted` splits (1 or 2) of about a tenth each from `pairs`; the rest stays split 0.

    `usable` says of a (n,) assignment whether every split can be used. `barred` (total,) marks
    sentences that must stay in split 0 with all that hangs on them.
    The same pairs and seed give the same cut. None when no usable cut was found.
    """
    barred = np.zeros(pairs.total, np.bool_) if barred is None else barred
    count = len(pairs.first)
    target = max(FEWEST, round(count * HELD_OUT_SHARE))
    components = _components(pairs)
    whole = _Dealer(components, np.bincount(components[pairs.first], minlength=pairs.total), barred)
    for attempt in range(ATTEMPTS):
        sides = whole.deal(wanted, target, _random(seed, attempt))
        split = sides[pairs.first]
        sizes = [int((split == side).sum()) for side in range(1, wanted + 1)]
        if min(sizes) >= max(FEWEST, target / 2) and usable(split):
            return Cut(split)
    for attempt in range(ATTEMPTS):
        random = _random(seed, ATTEMPTS + attempt)
        clusters = _clusters(pairs, components, target, random)
        # Clusters are weighed by their sentences' places in pairs, two a pair.
        ends = np.bincount(clusters[pairs.first], minlength=pairs.total)
        ends += np.bincount(clusters[pairs.second], minlength=pairs.total)
        sides = _Dealer(clusters, ends, barred).deal(wanted, 2 * target, random)
        split = np.where(
            sides[pairs.first] == sides[pairs.second], sides[pairs.first], np.int8(DROPPED)
        )
        if usable(split):
            return Cut(split)
    return None


def _components(pairs: NumberedPairs) -> Groups:
    """(total,) the number of each sentence's component."""
    # Not with this module: 0.1 s, and splits that are given need no cutting.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs.first), np.int8)
    shape = (pairs.total, pairs.total)
    graph = coo_array((ones, (pairs.first, pairs.second)), shape=shape)
    return connected_components(graph, directed=False)[1].astype(np.int64)


class _Dealer:
    """Deals groups of sentences out to splits."""

    def __init__(
        self, groups: Groups, weights: NDArray[np.int64], barred: NDArray[np.bool_]
    ) -> None:
        self._groups = groups
        self._weights = weights
        free = weights > 0
        free[groups[barred]] = False
        self._free = np.flatnonzero(free)

    def deal(self, wanted: int, target: int, random: np.random.RandomState) -> NDArray[np.int8]:
        """(total,) the split of each sentence: 1..wanted up to `target` of weight each, else 0."""
        side = np.zeros(len(self._groups), np.int8)
        room = [target] * wanted
        for group in random.permutation(self._free).tolist():
            weight = int(self._weights[group])
            roomiest = room.index(max(room))
            if weight <= room[roomiest]:
                side[group] = roomiest + 1
                room[roomiest] -= weight
                if not any(room):
                    break
        return side[self._groups]


def _clusters(
    pairs: NumberedPairs, components: Groups, target: int, random: np.random.RandomState
) -> Groups:
    """(total,) a cluster for each sentence: its component, or its part of one above `target`.

    Kruskal's algorithm with a bound on a cluster's weight. Pairs whose sentences are rare come
    first, so that what is left between clusters, and may be dropped, hangs on the sentences that
    everything shares.
    """
    ends = np.bincount(pairs.first, minlength=pairs.total)
    ends += np.bincount(pairs.second, minlength=pairs.total)
    sizes = np.bincount(components[pairs.first], minlength=pairs.total)
    large = np.flatnonzero(sizes[components[pairs.first]] > target)
    rarity = np.maximum(ends[pairs.first[large]], ends[pairs.second[large]])
    order = large[np.lexsort((random.permutation(len(large)), rarity))]
    bound = max(CLUSTER_ENDS, int(2 * len(pairs.first) * CLUSTER_SHARE))
    weight: list[int] = ends.tolist()
    parent = list(range(pairs.total))

    def root(sentence: int) -> int:
        while parent[sentence] != sentence:
            parent[sentence] = sentence = parent[parent[sentence]]
        return sentence

    links = zip(pairs.first[order].tolist(), pairs.second[order].tolist(), strict=True)
    for first, second in links:
        one, other = root(first), root(second)
        if one != other and weight[one] + weight[other] <= bound:
            parent[other] = one
            weight[one] += weight[other]
    roots = np.fromiter((root(sentence) for sentence in range(pairs.total)), np.int64, pairs.total)
    # Components that stay whole are named by one of their own sentences, so that no name of
    # theirs meets one of a cluster.
    names = np.full(pairs.total, pairs.total, np.int64)
    np.minimum.at(names, components, np.arange(pairs.total))
    return np.where(sizes[components] > target, roots, names[components])


def _random(seed: int, attempt: int) -> np.random.RandomState:
    # RandomState: its permutations are promised to stay the same in every later numpy.
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence([seed, attempt])))
