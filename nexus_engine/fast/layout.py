"""Sentences of like length as groups, so that attention needs next to no padding."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["Group", "Layout", "lay_out"]

Integers = npt.NDArray[np.int64]

# Costs of attention in one layer, forward and backward, that decide where a group ends; only their
# ratios matter. Measured on two cores, see docs/speed.md.
GROUP_COST = 250.0
"""Starting the operations of one more group, in microseconds."""
PLACE_COST = 0.6
"""Laying out one more place (a token or padding)."""
SCORE_COST = 0.03
"""One more query-key pair over all heads."""


class Group(NamedTuple):
    """Sentences that follow each other: tokens `start` to `stop`, laid out as (n, l).

    `slots` (stop - start,) are the tokens' places in that layout and `mask` (n, 1, 1, l) adds 0 to
    real and -inf to empty places; both None where no place is empty.
    """

    start: int
    stop: int
    sentences: int
    longest: int
    slots: Tensor | None
    mask: Tensor | None


class Layout(NamedTuple):
    """`n` sentences of `t` tokens in all, end to end: ids, positions and owners are (t,).

    `owners` says which sentence a token is of; `lengths` (n,) counts each sentence's tokens.
    """

    ids: Tensor
    positions: Tensor
    owners: Tensor
    lengths: Tensor
    groups: tuple[Group, ...]


def lay_out(ids: Integers, lengths: Integers) -> Layout:
    """Lay sentences end to end: `ids` (t,) as they follow, `lengths` (n,), shortest first.

    Another order is computed right, but with more padding.
    """
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    positions = np.arange(len(ids)) - np.repeat(starts[:-1], lengths)
    owners = np.repeat(np.arange(len(lengths)), lengths)
    groups = tuple(
        _group(lengths[a:b], int(starts[a]), int(starts[b])) for a, b in _cuts(lengths)
    )
    return Layout(
        torch.from_numpy(np.ascontiguousarray(ids, np.int64)),
        torch.from_numpy(positions),
        torch.from_numpy(owners),
        torch.from_numpy(np.ascontiguousarray(lengths, np.int64)),
        groups,
    )


def _group(lengths: Integers, start: int, stop: int) -> Group:
    n, longest = len(lengths), int(lengths.max())
    if n * longest == stop - start:
        return Group(start, stop, n, longest, None, None)
    real = np.arange(longest) < lengths[:, None]
    mask = np.where(real, np.float32(0), np.float32(-np.inf)).reshape(n, 1, 1, longest)
    return Group(
        start, stop, n, longest, torch.from_numpy(np.flatnonzero(real)), torch.from_numpy(mask)
    )


def _cuts(lengths: Integers) -> list[tuple[int, int]]:
    """Sentence ranges of the groups: those of least cost among all ways to cut.

    A shortest path over the runs of equal length.
    """
    if not len(lengths):
        return []
    ends = np.append(np.flatnonzero(np.diff(lengths)) + 1, len(lengths))
    runs = len(ends)
    begins = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
    longest = lengths[begins]
    cost = np.zeros(runs + 1)
    came_from = np.zeros(runs + 1, np.int64)
    for j in range(1, runs + 1):
        # A group of runs i .. j - 1, for every i: its longest and its number of sentences.
        top = np.maximum.accumulate(longest[:j][::-1])[::-1]
        count = ends[j - 1] - begins[:j]
        total = (
            cost[:j] + GROUP_COST + count * top * PLACE_COST + count * top * top * SCORE_COST
        )
        came_from[j] = int(total.argmin())
        cost[j] = total[came_from[j]]
    found: list[tuple[int, int]] = []
    j = runs
    while j:
        i = int(came_from[j])
        found.append((int(begins[i]), int(ends[j - 1])))
        j = i
    return found[::-1]
