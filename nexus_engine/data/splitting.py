"""Cut dev and test from one file so that no sentence occurs in two splits.

Pairs that share a sentence, directly or through other pairs, form a component. A component goes to
one split as a whole. In an order drawn from the seed, each goes to the split, dev or test, that has
the most of its tenth left to fill, if it fits there, and else to train. No pair is lost.

If dev or test then gets less than half of its tenth, the components larger than a tenth are
broken up. Their sentences are merged into clusters along the pairs, pairs of rare sentences first,
until a cluster holds a twentieth of the file. Clusters are then dealt out like components, and
pairs whose sentences lie in two splits are dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nexus_engine.data.pairs import MIN_PAIRS
from nexus_engine.data.sentence_ids import NumberedPairs

__all__ = ["HELD_OUT_SHARE", "Cut", "connected_groups", "cut_splits"]

HELD_OUT_SHARE = 0.1
"""Share of the pairs that dev and test get each."""
MAX_CLUSTER_SHARE = HELD_OUT_SHARE / 2
"""Of the ends of pairs (two a pair), in one cluster of a component that is broken up."""
MIN_CLUSTER_ENDS = 8
"""Every cluster may grow to this size, or small files would break up into single sentences."""
ATTEMPTS = 16
"""Number of orders tried: in a small file, dev may by chance get two pairs with equal scores."""

DROPPED = -1

Groups = NDArray[np.int64]
"""(total,) the number of each sentence's group."""
IsUsable = Callable[[NDArray[np.int8]], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """The split of each pair."""

    split: NDArray[np.int8]
    """(n,) 0 for pairs that stay, 1, 2, ... for those of the cut splits, -1 for dropped ones."""

    @property
    def dropped(self) -> int:
        """Number of pairs dropped because their sentences lie in two splits."""
        return int((self.split == DROPPED).sum())


def cut_splits(
    pairs: NumberedPairs,
    *,
    count: int,
    seed: int,
    usable: IsUsable,
    barred: NDArray[np.bool_] | None = None,
    share: float = HELD_OUT_SHARE,
) -> Cut | None:
    """Cut `count` splits (1 or 2) of about `share` each from `pairs`; the rest stays in split 0.

    `usable` tells whether every split of an (n,) assignment can be used. `barred` (total,) marks
    sentences that must stay in split 0, with their whole component or cluster.
    The same pairs and seed give the same cut. None if no usable cut was found.
    """
    barred = np.zeros(pairs.total, np.bool_) if barred is None else barred
    target = max(MIN_PAIRS, round(len(pairs.first) * share))
    components = connected_groups(pairs)
    weights = np.bincount(components[pairs.first], minlength=pairs.total)
    dealer = _Dealer(components, weights, barred)
    for attempt in range(ATTEMPTS):
        split_of = dealer.deal(count, target, _random(seed, attempt))
        split = split_of[pairs.first]
        sizes = [int((split == number).sum()) for number in range(1, count + 1)]
        if min(sizes) >= max(MIN_PAIRS, target / 2) and usable(split):
            return Cut(split)
    for attempt in range(ATTEMPTS):
        random = _random(seed, ATTEMPTS + attempt)
        clusters = _clusters(pairs, components, target, random)
        # The weight of a cluster counts the ends of pairs in it, of which each pair has two.
        ends = np.bincount(clusters[pairs.first], minlength=pairs.total)
        ends += np.bincount(clusters[pairs.second], minlength=pairs.total)
        split_of = _Dealer(clusters, ends, barred).deal(count, 2 * target, random)
        first, second = split_of[pairs.first], split_of[pairs.second]
        split = np.where(first == second, first, np.int8(DROPPED))
        if usable(split):
            return Cut(split)
    return None


def connected_groups(pairs: NumberedPairs) -> Groups:
    """(total,) the number of each sentence's component."""
    # Imported here because it takes 0.1 s and data with all its splits needs no cut.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs.first), np.int8)
    shape = (pairs.total, pairs.total)
    graph = coo_array((ones, (pairs.first, pairs.second)), shape=shape)
    return connected_components(graph, directed=False)[1].astype(np.int64)


class _Dealer:
    """Deals out groups of sentences to splits."""

    def __init__(
        self, groups: Groups, weights: NDArray[np.int64], barred: NDArray[np.bool_]
    ) -> None:
        self._groups = groups
        self._weights = weights
        free = weights > 0
        free[groups[barred]] = False
        self._free = np.flatnonzero(free)

    def deal(self, count: int, target: int, random: np.random.RandomState) -> NDArray[np.int8]:
        """(total,) the split of each sentence: 1..count up to a weight of `target` each, else 0."""
        split_of_group = np.zeros(len(self._groups), np.int8)
        room = [target] * count
        for group in random.permutation(self._free).tolist():
            weight = int(self._weights[group])
            roomiest = room.index(max(room))
            if weight <= room[roomiest]:
                split_of_group[group] = roomiest + 1
                room[roomiest] -= weight
                if not any(room):
                    break
        return split_of_group[self._groups]


def _clusters(
    pairs: NumberedPairs, components: Groups, target: int, random: np.random.RandomState
) -> Groups:
    """(total,) the cluster of each sentence: its component, or a part of one above `target`.

    This is Kruskal's algorithm with a bound on the weight of a cluster. Pairs of rare sentences
    come first, so that the pairs left between clusters, which may be dropped, are those of the most
    frequent sentences.
    """
    ends = np.bincount(pairs.first, minlength=pairs.total)
    ends += np.bincount(pairs.second, minlength=pairs.total)
    sizes = np.bincount(components[pairs.first], minlength=pairs.total)
    large = np.flatnonzero(sizes[components[pairs.first]] > target)
    rarity = np.maximum(ends[pairs.first[large]], ends[pairs.second[large]])
    order = large[np.lexsort((random.permutation(len(large)), rarity))]
    max_weight = max(MIN_CLUSTER_ENDS, int(2 * len(pairs.first) * MAX_CLUSTER_SHARE))
    weight: list[int] = ends.tolist()
    parent = list(range(pairs.total))

    def root(sentence: int) -> int:
        while parent[sentence] != sentence:
            parent[sentence] = sentence = parent[parent[sentence]]
        return sentence

    links = zip(pairs.first[order].tolist(), pairs.second[order].tolist(), strict=True)
    for first, second in links:
        kept, merged = root(first), root(second)
        if kept != merged and weight[kept] + weight[merged] <= max_weight:
            parent[merged] = kept
            weight[kept] += weight[merged]
    roots = np.fromiter((root(sentence) for sentence in range(pairs.total)), np.int64, pairs.total)
    # An unbroken component is named by one of its own sentences, so that its name differs from
    # that of every cluster.
    names = np.full(pairs.total, pairs.total, np.int64)
    np.minimum.at(names, components, np.arange(pairs.total))
    return np.where(sizes[components] > target, roots, names[components])


def _random(seed: int, attempt: int) -> np.random.RandomState:
    # numpy promises that the permutations of a RandomState never change between versions.
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence([seed, attempt])))
