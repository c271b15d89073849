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


# Rows are filled up so that few row counts occur: oneDNN sets up, and keeps, a kernel for each, and
# memory that was freed fits the next batch.


class Group(NamedTuple):
    """Sentences that follow each other: places `start` to `stop`, an (n, l) layout.

    `mask` (n, 1, 1, l) adds 0 to real and -inf to empty places; None where no place is empty.
    """

    start: int
    stop: int
    sentences: int
    longest: int
    mask: Tensor | None


class Layout(NamedTuple):
    """`n` sentences of `tokens` tokens in all, end to end, filled up to `t` rows.

    ids, positions and owners are (t,); `owners` says which sentence a row is of, n for the rows
    that fill up; `lengths` (n,) counts each sentence's tokens. For attention, tokens lie in `p`
    places: `slots` (t,) is the place of each row, `places` (p,) the token of each place, any token
    where it is empty, and `gradient_places` is that with t for the empty ones. All three are None
    where rows and places are the same.
    """

    tokens: int

    ids: Tensor
    positions: Tensor
    owners: Tensor
    lengths: Tensor
    groups: tuple[Group, ...]
    slots: Tensor | None
    places: Tensor | None
    gradient_places: Tensor | None


def lay_out(ids: Integers, lengths: Integers) -> Layout:
    """Lay sentences end to end: `ids` (t,) as they follow, `lengths` (n,), shortest first.

    Another order is computed right, but with more padding.
    """
    tokens = len(ids)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    positions = np.arange(tokens) - np.repeat(starts[:-1], lengths)
    groups: list[Group] = []
    places: list[Integers] = []
    start = 0
    for a, b in _cuts(lengths):
        n, longest = b - a, int(lengths[a:b].max())
        real = np.arange(longest) < lengths[a:b, None]
        empty = not real.all()
        mask = np.where(real, np.float32(0), np.float32(-np.inf)).reshape(n, 1, 1, longest)
        stop = start + n * longest
        groups.append(Group(start, stop, n, longest, torch.from_numpy(mask) if empty else None))
        of_token = starts[a:b, None] + np.arange(longest)
        places.append(np.where(real, of_token, tokens).reshape(-1))
        start = stop
    slots = filled = gradient = None
    fill = -tokens % _multiple(tokens)
    if start > tokens or fill:
        joined = np.concatenate(places)
        slots = torch.from_numpy(_filled(np.flatnonzero(joined < tokens), fill, 0))
        gradient = torch.from_numpy(np.where(joined < tokens, joined, tokens + fill))
        filled = torch.from_numpy(np.where(joined < tokens, joined, 0))
    return Layout(
        tokens=tokens,
        ids=torch.from_numpy(_filled(ids, fill, 0)),
        positions=torch.from_numpy(_filled(positions, fill, 0)),
        owners=torch.from_numpy(
            _filled(np.repeat(np.arange(len(lengths)), lengths), fill, len(lengths))
        ),
        lengths=torch.from_numpy(np.ascontiguousarray(lengths, np.int64)),
        groups=tuple(groups),
        slots=slots,
        places=filled,
        gradient_places=gradient,
    )


def _multiple(tokens: int) -> int:
    """What row counts are filled up to a multiple of: 1/32 to 1/16 of them."""
    return 1 << max(0, tokens.bit_length() - 5)


def _filled(values: Integers, count: int, value: int) -> Integers:
    return np.concatenate([values, np.full(count, value, np.int64)])


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
        total = cost[:j] + GROUP_COST + count * top * PLACE_COST + count * top * top * SCORE_COST
        came_from[j] = int(total.argmin())
        cost[j] = total[came_from[j]]
    found: list[tuple[int, int]] = []
    j = runs
    while j:
        i = int(came_from[j])
        found.append((int(begins[i]), int(ends[j - 1])))
        j = i
    return found[::-1]
