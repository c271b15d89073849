"""The order of the train pairs: by seed, each pair once a pass, however a pass is divided."""

import numpy as np
import pytest
import torch

from nexus_engine.training.steps.batching import epoch_batches, steps_of_epoch
from nexus_engine.training.steps.negatives import neighbour_batches

LENGTHS = np.random.default_rng(0).integers(5, 60, 1000)


def batches(epoch, per_pass=1, seed=1, **more):
    return epoch_batches(LENGTHS, 32, seed=seed, epoch=epoch, per_pass=per_pass, **more)


@pytest.mark.parametrize("like_length", [False, True])
@pytest.mark.parametrize("per_pass", [1, 3, 7])
def test_the_epochs_of_a_pass_are_the_pass(per_pass, like_length):
    for passes_done in (0, 1):
        epochs = range(passes_done * per_pass + 1, (passes_done + 1) * per_pass + 1)
        parts = [batches(e, per_pass, like_length=like_length) for e in epochs]
        joined = [batch for part in parts for batch in part]
        undivided = batches(passes_done + 1, like_length=like_length)
        assert all(np.array_equal(a, b) for a, b in zip(joined, undivided, strict=True))
        assert sorted(np.concatenate(joined)) == list(range(1000))
        sizes = [len(part) for part in parts]
        assert max(sizes) - min(sizes) <= 1


def test_passes_and_seeds_differ():
    first = np.concatenate(batches(1))
    assert not np.array_equal(first, np.concatenate(batches(2)))
    assert not np.array_equal(first, np.concatenate(batches(1, seed=2)))


def test_a_pass_has_no_more_epochs_than_batches():
    undivided = batches(1)
    parts = [batches(epoch, per_pass=1000) for epoch in range(1, len(undivided) + 2)]
    assert [len(part) for part in parts] == [1] * (len(undivided) + 1)
    assert np.array_equal(parts[0][0], undivided[0])
    assert np.array_equal(parts[-1][0], batches(2)[0])  # the next pass, in another order


@pytest.mark.parametrize("per_pass", [1, 2, 3, 40])
@pytest.mark.parametrize("examples", [1, 2, 7, 8, 9, 15, 16, 17, 100, 129])
def test_steps_are_counted_without_batches(examples, per_pass):
    lengths, vectors = np.ones(examples, np.int64), torch.randn(examples, 4)
    for epoch in range(1, 6):
        steps = steps_of_epoch(examples, 8, epoch, per_pass)
        assert steps == len(epoch_batches(lengths, 8, seed=1, epoch=epoch, per_pass=per_pass))
        near = neighbour_batches(vectors, 8, seed=1, epoch=epoch, per_pass=per_pass)
        assert steps == len(near)
