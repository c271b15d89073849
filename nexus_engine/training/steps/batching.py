"""The order of training pairs: shuffled by seed and epoch, batches of like length."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["epoch_batches"]

BATCHES_PER_POOL = 50
"""Pairs are sorted by length within pools of this many batches: like lengths, yet well mixed."""


def epoch_batches(
    lengths: npt.NDArray[np.int64],
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    like_length: bool = False,
    per_pass: int = 1,
) -> list[npt.NDArray[np.int64]]:
    """The batches of one epoch, as pair indices.

    `lengths` (n,) are token counts of the pairs. The order depends on `seed` and `epoch` alone, so
    a run can be resumed in the middle of an epoch without storing it. The last batch may be short;
    a last batch of one pair is joined to the one before, since batch statistics need two. With
    `per_pass` an epoch is that part of a pass over the pairs: epochs 1 to `per_pass` are the first.
    An epoch has one batch at least, so a pass has no more epochs than batches.
    """
    per_pass = min(per_pass, len(_cut(np.arange(len(lengths)), batch_size)) or 1)
    done, part = divmod(epoch - 1, per_pass)
    batches = _pass_batches(lengths, batch_size, (seed, done + 1), like_length=like_length)
    return batches[len(batches) * part // per_pass : len(batches) * (part + 1) // per_pass]


def _pass_batches(
    lengths: npt.NDArray[np.int64], batch_size: int, seed: tuple[int, int], *, like_length: bool
) -> list[npt.NDArray[np.int64]]:
    """All pairs once, in batches."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(lengths))
    if not like_length:
        batches = _cut(order, batch_size)
        return batches
    pool = batch_size * BATCHES_PER_POOL
    parts = [order[i : i + pool] for i in range(0, len(order), pool)]
    by_length = np.concatenate([part[np.argsort(lengths[part], kind="stable")] for part in parts])
    batches = _cut(by_length, batch_size)
    return [batches[i] for i in random.permutation(len(batches))]


def _cut(order: npt.NDArray[np.int64], size: int) -> list[npt.NDArray[np.int64]]:
    """`order` in pieces of `size`; a last piece of one is joined to the one before."""
    batches = [order[i : i + size] for i in range(0, len(order), size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches
