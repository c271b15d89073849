"""Points spread over a cloud of vectors: k-means centres, and the farthest from what is there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["farthest_first", "k_means", "nearest_to_centres"]

Floats = npt.NDArray[np.floating]
Indices = npt.NDArray[np.int64]

ROUNDS = 20
"""Of k-means; the order of questions does not change visibly with more."""


def k_means(
    points: Floats,
    count: int,
    random: np.random.Generator,
    weights: Floats | None = None,
    rounds: int = ROUNDS,
) -> tuple[Floats, Indices]:
    """Centres (count, width) and the cluster of each of `points` (n, width), (n,).

    Starts by k-means++ (Arthur and Vassilvitskii, SODA 2007) and takes `rounds` of Lloyd's steps at
    most. `weights` (n,), at least 0, count a point as that many. With fewer points than `count`,
    there are as many centres as points.
    """
    n = len(points)
    count = min(count, n)
    mass = np.ones(n) if weights is None else np.maximum(np.asarray(weights, np.float64), 1e-9)
    centres = points[_spread_starts(points, count, mass, random)].astype(np.float32)
    cluster = np.full(n, -1, np.int64)
    for _ in range(rounds):
        nearest = _distances(points, centres).argmin(1)
        if (nearest == cluster).all():
            break
        cluster = nearest
        total = np.bincount(cluster, mass, count)
        sums = np.zeros((count, points.shape[1]))
        np.add.at(sums, cluster, points * mass[:, None])
        filled = total > 0
        centres[filled] = sums[filled] / total[filled, None]
    return centres, cluster


def nearest_to_centres(points: Floats, centres: Floats) -> Indices:
    """For each centre the nearest of `points` that no centre before it has taken, (c,).

    There must be at least as many points as centres.
    """
    distances = _distances(points, centres)
    free = np.ones(len(points), bool)
    chosen = []
    for column in distances.T:
        best = int(np.where(free, column, np.inf).argmin())
        free[best] = False
        chosen.append(best)
    return np.asarray(chosen, np.int64)


def farthest_first(
    points: Floats, taken: Indices, count: int, random: np.random.Generator
) -> Indices:
    """`count` of `points`, each the farthest from those in `taken` and chosen before it.

    Greedy k-centre (Gonzalez, 1985), which Sener and Savarese (ICLR 2018, arXiv 1708.00489) use as
    their core-set. Without any taken, the first is drawn at random.
    """
    chosen: list[int] = []
    gap = np.full(len(points), np.inf)
    for place in taken.tolist():
        gap = np.minimum(gap, _squared(points, points[place]))
    gap[taken] = -1.0
    for _ in range(min(count, len(points) - len(taken))):
        far = int(random.integers(len(points))) if np.isinf(gap).all() else int(gap.argmax())
        chosen.append(far)
        gap = np.minimum(gap, _squared(points, points[far]))
        gap[far] = -1.0
    return np.asarray(chosen, np.int64)


def _spread_starts(
    points: Floats, count: int, mass: Floats, random: np.random.Generator
) -> Indices:
    first = int(random.choice(len(points), p=mass / mass.sum()))
    starts = [first]
    gap = _squared(points, points[first])
    for _ in range(count - 1):
        share: Floats = gap * mass
        if share.sum() <= 0:  # only repeats of the chosen are left
            share = mass
        starts.append(int(random.choice(len(points), p=share / share.sum())))
        gap = np.minimum(gap, _squared(points, points[starts[-1]]))
    return np.asarray(starts, np.int64)


def _squared(points: Floats, point: Floats) -> Floats:
    difference = points - point
    squared: Floats = np.einsum("nw,nw->n", difference, difference)
    return squared


def _distances(points: Floats, centres: Floats) -> Floats:
    """Squared distances (n, c), up to what depends on the point alone."""
    distances: Floats = (centres**2).sum(1)[None, :] - 2 * points @ centres.T
    return distances
