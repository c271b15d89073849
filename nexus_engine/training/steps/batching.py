"""The order of the train pairs: shuffled by seed and epoch, or in batches of like length."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["epoch_batches", "steps_of_epoch"]

BATCHES_PER_POOL = 50
"""Pairs are sorted by length within pools of this many batches: batches are alike in length, yet
well mixed."""


def epoch_batches(
    lengths: npt.NDArray[np.int64],
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    like_length: bool = False,
    per_pass: int = 1,
) -> list[npt.NDArray[np.int64]]:
    """The batches of `epoch`, from 1, each as pair indices (b,).

    `lengths` (n,) are the pairs' token counts. The order depends only on `seed` and `epoch`, so a
    run can resume within an epoch without storing it. The last batch may be short; a last batch of
    one pair joins the batch before it, since batch statistics need two pairs. A pass over the pairs
    is divided into `per_pass` epochs, or into fewer, so that each has at least one batch.
    """
    per_pass = min(per_pass, len(_cut(np.arange(len(lengths)), batch_size)) or 1)
    passes_done, part = divmod(epoch - 1, per_pass)
    batches = _pass_batches(lengths, batch_size, (seed, passes_done + 1), like_length=like_length)
    return batches[len(batches) * part // per_pass : len(batches) * (part + 1) // per_pass]


def steps_of_epoch(examples: int, batch_size: int, epoch: int, per_pass: int = 1) -> int:
    """The number of batches that `epoch_batches` gives of `examples` examples, without any order.

    `neighbour_batches` of the same arguments are as many.
    """
    whole = -(-examples // batch_size)
    if whole > 1 and examples % batch_size == 1:
        whole -= 1
    per_pass = max(1, min(per_pass, whole))
    part = (epoch - 1) % per_pass
    return whole * (part + 1) // per_pass - whole * part // per_pass


def _pass_batches(
    lengths: npt.NDArray[np.int64], batch_size: int, seed: tuple[int, int], *, like_length: bool
) -> list[npt.NDArray[np.int64]]:
    """The batches of one pass over all pairs."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(lengths))
    if not like_length:
        return _cut(order, batch_size)
    pool_size = batch_size * BATCHES_PER_POOL
    pools = [order[i : i + pool_size] for i in range(0, len(order), pool_size)]
    by_length = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
    batches = _cut(by_length, batch_size)
    return [batches[i] for i in random.permutation(len(batches))]


def _cut(order: npt.NDArray[np.int64], size: int) -> list[npt.NDArray[np.int64]]:
    """`order` in batches of `size`; a last batch of one pair joins the one before."""
    batches = [order[i : i + size] for i in range(0, len(order), size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches
