"""Sampling rules: which of the candidates to ask about next.

A rule sees a `Pool`: what is known of each candidate by the model so far. It returns the next few
candidates. It knows no text, so that the same rules serve pairs and questions.

| name | asks about | source |
|---|---|---|
| `random` | any | |
| `unsure` | those of which the model is least sure | Lewis and Gale, SIGIR 1994 |
| `disagree` | those where base and tuned model differ most | Seung et al., COLT 1992 |
| `spread` | the farthest from all that are labelled | Sener and Savarese, arXiv 1708.00489 |
| `typical` | the typical one of each cluster without a label | Hacohen et al., arXiv 2202.02794 |
| `mixed` | centres of clusters of unsure candidates | Zhdanov, arXiv 1901.05954 |
| `mixed-disagree` | the same of candidates on which the models differ | |
| `greedy` | the farthest in text and in similarity at once | Wu, Lin and Huang, arXiv 1808.04245 |
| `levels` | as many at each level of similarity | stratified sampling |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nexus_engine.teaching.spreading import farthest_first, k_means, nearest_to_centres

__all__ = ["PAIR_RULE", "QUESTION_RULE", "RULES", "Pool", "SamplingRule"]

Floats = npt.NDArray[np.floating]
Indices = npt.NDArray[np.int64]

PREFILTER = 10
"""`mixed` clusters this many times as many candidates as it returns: the least sure."""
TYPICAL_NEIGHBOURS = 20
"""A candidate is typical if so many neighbours are near (as Hacohen et al. measure it)."""
MAX_CLUSTERS = 500
"""As many clusters as `typical` makes at most (Hacohen et al.)."""
LEVELS = 10
"""Bins of similarity of `levels`."""


class Pool(NamedTuple):
    """The candidates, (n,) each. `labelled` are the places of those that are judged already."""

    points: Floats
    """(n, width) of length 1: what a candidate is about."""
    level: Floats
    """The similarity that the model gives it, -1..1."""
    doubt: Floats
    """How unsure the model is; larger is less sure. Only the order counts."""
    difference: Floats
    """How much base and tuned model differ, at least 0; all 0 without a tuned model."""
    labelled: Indices

    @property
    def open(self) -> Indices:
        """The places of those that are not judged, rising."""
        return np.setdiff1d(np.arange(len(self.level)), self.labelled)


SamplingRule = Callable[[Pool, int, np.random.Generator], Indices]
"""Places of the next `count` candidates, the most useful first; fewer when the pool runs out."""


def _random(pool: Pool, count: int, random: np.random.Generator) -> Indices:
    return random.permutation(pool.open)[:count]


def _highest(values: Floats, pool: Pool, count: int, random: np.random.Generator) -> Indices:
    """The open candidates of the highest values; equal ones in random order."""
    places = random.permutation(pool.open)
    return places[np.argsort(-values[places], kind="stable")][:count]


def _unsure(pool: Pool, count: int, random: np.random.Generator) -> Indices:
    return _highest(pool.doubt, pool, count, random)


def _disagree(pool: Pool, count: int, random: np.random.Generator) -> Indices:
    return _highest(pool.difference, pool, count, random)


def _spread(pool: Pool, count: int, random: np.random.Generator) -> Indices:
    return farthest_first(pool.points, pool.labelled, count, random)


def _typical(pool: Pool, count: int, random: np.random.Generator) -> Indices:
    clusters = min(len(pool.labelled) + count, MAX_CLUSTERS, len(pool.points))
    _, cluster = k_means(pool.points, clusters, random)
    clusters = int(cluster.max()) + 1
    taken = np.bincount(cluster[pool.labelled], minlength=clusters)
    size = np.bincount(cluster, minlength=clusters).astype(np.float64)
    members = {c: np.intersect1d(np.flatnonzero(cluster == c), pool.open) for c in range(clusters)}
    chosen: list[int] = []
    while len(chosen) < min(count, len(pool.open)):
        # The largest of the clusters with the fewest labels.
        left = [c for c in range(clusters) if len(members[c])]
        best = min(left, key=lambda c: (taken[c], -size[c]))
        place = _most_typical(pool.points, members[best], np.flatnonzero(cluster == best))
        members[best] = members[best][members[best] != place]
        taken[best] += 1
        chosen.append(place)
    return np.asarray(chosen, np.int64)


def _most_typical(points: Floats, among: Indices, cluster: Indices) -> int:
    """The one of `among` whose neighbours in its cluster are nearest on average."""
    near = points[among] @ points[cluster].T
    depth = min(TYPICAL_NEIGHBOURS + 1, near.shape[1])  # the first is the candidate itself
    closeness = np.partition(near, near.shape[1] - depth, axis=1)[:, -depth:].mean(1)
    return int(among[closeness.argmax()])


def _mixed_by(values: Floats, pool: Pool, count: int, random: np.random.Generator) -> Indices:
    """Centres of weighted clusters of the candidates with the highest values."""
    among = _highest(values, pool, PREFILTER * count, random)
    if len(among) <= count:
        return among
    weights = np.arange(len(among), 0, -1) / len(among)  # by rank, since scales differ
    centres, _ = k_means(pool.points[among], count, random, weights)
    return among[nearest_to_centres(pool.points[among], centres)]


def _mixed(pool: Pool, count: int, random: np.random.Generator) -> Indices:
    return _mixed_by(pool.doubt, pool, count, random)


def _mixed_disagree(pool: Pool, count: int, random: np.random.Generator) -> Indices:
    return _mixed_by(pool.difference, pool, count, random)


def _greedy(pool: Pool, count: int, random: np.random.Generator) -> Indices:
    """iGS: the largest smallest product of the distances in text and in similarity."""
    n = len(pool.level)
    gap = np.full(n, np.inf)

    def nearer(place: int) -> Floats:
        in_text = np.sqrt(np.maximum(2 - 2 * pool.points @ pool.points[place], 0))
        nearest: Floats = np.minimum(gap, in_text * np.abs(pool.level - pool.level[place]))
        return nearest

    for place in pool.labelled.tolist():
        gap = nearer(place)
    gap[pool.labelled] = -1.0
    chosen: list[int] = []
    for _ in range(min(count, len(pool.open))):
        best = int(random.choice(pool.open)) if np.isinf(gap).any() else int(gap.argmax())
        chosen.append(best)
        gap = nearer(best)
        gap[[*chosen, *pool.labelled.tolist()]] = -1.0
    return np.asarray(chosen, np.int64)


def _levels(pool: Pool, count: int, random: np.random.Generator) -> Indices:
    """Open candidates, each from the level with the fewest labels that still has some."""
    low, high = pool.level.min(), pool.level.max()
    share = (pool.level - low) / max(high - low, 1e-9)
    level_of = np.minimum((share * LEVELS).astype(np.int64), LEVELS - 1)
    labels = np.bincount(level_of[pool.labelled], minlength=LEVELS)
    waiting = {
        each: random.permutation(pool.open[level_of[pool.open] == each]).tolist()
        for each in range(LEVELS)
    }
    chosen: list[int] = []
    while len(chosen) < count and any(waiting.values()):
        best = min((each for each in range(LEVELS) if waiting[each]), key=lambda e: (labels[e], e))
        chosen.append(waiting[best].pop())
        labels[best] += 1
    return random.permutation(np.asarray(chosen, np.int64))


RULES: Mapping[str, SamplingRule] = MappingProxyType(
    {
        "random": _random,
        "unsure": _unsure,
        "disagree": _disagree,
        "spread": _spread,
        "typical": _typical,
        "mixed": _mixed,
        "mixed-disagree": _mixed_disagree,
        "greedy": _greedy,
        "levels": _levels,
    }
)
"""The rules by name."""

PAIR_RULE = "mixed-disagree"
"""STS-B, five seeds: what random draws reach with 200, 400 and 800 labels, it reaches with 73, 143
and 402. Without a tuned model the clusters are those of a random draw (docs/teach.md)."""
QUESTION_RULE = "random"
"""MedQuAD, passages marked down to the first answer, five seeds: no rule was better throughout,
most were worse (docs/teach.md)."""
