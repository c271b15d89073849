"""Sharpness-aware steps: the perturbation by hand, its end, and masks that stay the same."""

import pytest
import torch
from torch import nn

from nexus_engine.model.dropout import MaskTape, dropout
from nexus_engine.training.steps.sharpness import FLOOR, perturb, sharp_gradients


def _with_gradient(values, gradient):
    parameter = nn.Parameter(torch.tensor(values, dtype=torch.float64))
    parameter.grad = torch.tensor(gradient, dtype=torch.float64)
    return parameter


def test_perturb_by_hand():
    first, second = _with_gradient([1.0, -2.0], [0.5, 0.0]), _with_gradient([0.0], [3.0])
    untouched = nn.Parameter(torch.ones(2))
    before = perturb([first, untouched, second], 0.4)
    norm = ((1.01 * 0.5) ** 2 + (FLOOR * 3.0) ** 2) ** 0.5
    assert first.detach().numpy() == pytest.approx([1.0 + 0.4 * 1.01**2 * 0.5 / norm, -2.0])
    assert second.item() == pytest.approx(0.4 * FLOOR**2 * 3.0 / norm)
    assert [value.tolist() for _, value in before] == [[1.0, -2.0], [0.0]]
    assert untouched.tolist() == [1.0, 1.0]


def test_perturb_stays_within_the_radius_and_raises_the_loss():
    torch.manual_seed(0)
    weights = nn.Parameter(torch.randn(20, dtype=torch.float64))
    target = torch.randn(20, dtype=torch.float64)

    def loss():
        return (weights - target).pow(4).sum()

    start = loss()
    start.backward()
    ((_, before),) = perturb([weights], 0.3)
    moved = (weights.detach() - before) / (before.abs() + FLOOR)
    assert moved.norm().item() == pytest.approx(0.3)
    assert loss() > start


def test_a_zero_gradient_moves_nothing():
    still = _with_gradient([1.0], [0.0])
    perturb([still], 5.0)
    assert still.item() == 1.0


def _problem():
    """A parameter, a function that computes its gradient with dropout, and the passes it made."""
    weights = nn.Parameter(torch.linspace(-1, 1, 64))
    passes = []

    def compute():
        mask = dropout(torch.ones(64), 0.5, training=True)
        passes.append((weights.detach().clone(), mask))
        loss = ((weights * mask) ** 3).sum()
        weights.grad = None
        loss.backward()
        return loss

    return weights, compute, passes


def test_gradients_are_those_at_the_worst_place_with_the_same_masks():
    weights, compute, passes = _problem()
    start = weights.detach().clone()
    loss = sharp_gradients(compute, [weights], 0.2)
    assert torch.equal(weights, start)
    (first, mask), (perturbed, second_mask) = passes
    assert torch.equal(mask, second_mask)
    assert 0 < int((mask == 0).sum()) < 64
    assert torch.equal(first, start)
    assert not torch.equal(perturbed, start)
    assert loss.item() == pytest.approx(((start * mask) ** 3).sum().item())
    assert torch.allclose(weights.grad, 3 * perturbed**2 * mask**3)


def test_an_error_at_the_perturbed_weights_restores_them():
    weights, compute, passes = _problem()
    start = weights.detach().clone()

    def runs_out_of_memory_the_second_time():
        if passes:
            weights.grad = None
            raise MemoryError
        return compute()

    with pytest.raises(MemoryError):
        sharp_gradients(runs_out_of_memory_the_second_time, [weights], 0.2)
    assert torch.equal(weights, start)


def test_radius_zero_computes_once():
    weights, compute, passes = _problem()
    sharp_gradients(compute, [weights], 0.0)
    assert len(passes) == 1


def test_a_tape_is_used_in_its_context_alone():
    tape, ones = MaskTape(), torch.ones(1000)
    with tape.recording():
        first = dropout(ones, 0.3, training=True)
    outside = dropout(ones, 0.3, training=True)
    with tape.replaying():
        second = dropout(ones, 0.3, training=True)
    assert torch.equal(first, second)
    assert not torch.equal(first, outside)
