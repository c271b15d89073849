"""Sentences end to end in bins of few widths, so that attention needs no rearranging of rows."""

from __future__ import annotations

import bisect
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["Bins", "Layout", "lay_out"]

Integers = npt.NDArray[np.int64]

NARROWEST = 32
"""Width of the narrowest bins; the others are powers of two, or three quarters of one. Wider ones
leave fewer rows empty and cost more in attention: in batches of 64 STS-B pairs 4.6 % are empty at
32, 3.8 % at 64, before they are filled up, with 40 and 66 scores a token and head."""


class Bins(NamedTuple):
    """Rows `start` to `stop` as (`number`, `width`): each bin holds whole sentences.

    `mask` (number, 1, width, width) adds 0 where query and key are of one sentence, else -inf; the
    rows that hold no token count as a sentence of their own. None where each bin is full of one.
    """

    start: int
    stop: int
    number: int
    width: int
    mask: Tensor | None


class Layout(NamedTuple):
    """`n` sentences in `t` rows, a multiple of `_multiple` of the tokens.

    ids, positions and owners are (t,); `owners` says which sentence a row is of, n for the rows
    that hold no token; `lengths` (n,) counts each sentence's tokens.
    """

    ids: Tensor
    positions: Tensor
    owners: Tensor
    lengths: Tensor
    bins: tuple[Bins, ...]


def lay_out(ids: Integers, lengths: Integers) -> Layout:
    """Put sentences in bins: `ids` (t,) as they follow each other, `lengths` (n,)."""
    sentences = len(lengths)
    widths, of_sentence, inside = _pack(lengths)
    order = np.argsort(widths, kind="stable")
    starts = np.empty(len(widths), np.int64)
    starts[order] = np.cumsum(widths[order]) - widths[order]
    rows = int(widths.sum())

    positions = np.arange(len(ids)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    place = np.repeat(starts[of_sentence] + inside, lengths) + positions
    owners = _spread(np.repeat(np.arange(sentences), lengths), place, rows, sentences)
    bins: list[Bins] = []
    start = 0
    for width in np.unique(widths).tolist():
        count = int((widths == width).sum())
        stop = start + count * width
        owner = owners[start:stop].reshape(count, width)
        apart = owner[:, :, None] != owner[:, None, :]
        mask = np.where(apart, np.float32(-np.inf), np.float32(0))[:, None] if apart.any() else None
        bins.append(
            Bins(start, stop, count, width, None if mask is None else torch.from_numpy(mask))
        )
        start = stop
    return Layout(
        ids=torch.from_numpy(_spread(ids, place, rows, 0)),
        positions=torch.from_numpy(_spread(positions, place, rows, 0)),
        owners=torch.from_numpy(owners),
        lengths=torch.from_numpy(np.ascontiguousarray(lengths, np.int64)),
        bins=tuple(bins),
    )


def _spread(values: Integers, place: Integers, rows: int, empty: int) -> Integers:
    found = np.full(rows, empty, np.int64)
    found[place] = values
    return found


def _multiple(tokens: int) -> int:
    """What row counts are filled up to a multiple of: 1/32 to 1/16 of the tokens.

    So few row counts occur: oneDNN sets up, and keeps, a kernel for each, and memory that was freed
    fits the next batch.
    """
    return max(NARROWEST, 1 << max(0, tokens.bit_length() - 5))


def _pack(lengths: Integers) -> tuple[Integers, Integers, Integers]:
    """The width of each bin, and for each sentence its bin and its place there: best fit first.

    Longest sentences first, each into the bin that it leaves the least room in.
    """
    widths: list[int] = []
    room: list[tuple[int, int]] = []  # (rows that are free, bin), sorted
    of_sentence, inside = np.zeros_like(lengths), np.zeros_like(lengths)
    for sentence in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[sentence])
        found = bisect.bisect_left(room, (length, -1))
        if found < len(room):
            free, chosen = room.pop(found)
        else:
            free = max(NARROWEST, 1 << (length - 1).bit_length())
            chosen = len(widths)
            widths.append(free)
        of_sentence[sentence], inside[sentence] = chosen, widths[chosen] - free
        if free > length:
            bisect.insort(room, (free - length, chosen))
    multiple = _multiple(int(lengths.sum()))
    return np.asarray(_fill(_narrow(widths, room, multiple), multiple)), of_sentence, inside


def _narrow(widths: list[int], room: list[tuple[int, int]], multiple: int) -> list[int]:
    """`widths`, those bins cut to three quarters that are free beyond.

    So sentences of 33 to 48 tokens do not take 64 rows each. All stay as they are where that would
    save no `multiple` of rows: one more width is one more group in attention. `room` has the rows
    that are free at the end of each bin.
    """
    cut = widths.copy()
    for free, chosen in room:
        if widths[chosen] > NARROWEST and free >= widths[chosen] // 4:
            cut[chosen] -= widths[chosen] // 4
    return cut if -(-sum(cut) // multiple) < -(-sum(widths) // multiple) else widths


def _fill(widths: list[int], multiple: int) -> list[int]:
    """`widths` with empty bins, so that their sum is a multiple of `multiple`."""
    if sum(widths) % NARROWEST:  # an odd number of bins of 48
        widths[widths.index(NARROWEST + NARROWEST // 2)] += NARROWEST // 2
    return widths + [NARROWEST] * (-sum(widths) % multiple // NARROWEST)
