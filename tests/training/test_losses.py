"""Losses against computations by hand, and the invariants of a ranking loss."""

import math

import pytest
import torch

from nexus_engine.training.steps.losses import (
    COSENT_SCALE,
    LOSSES,
    PEARSON_SHARE,
    cosent,
    pearson_distance,
)

COSINE = torch.tensor([0.9, 0.2, 0.5], dtype=torch.float64)
SCORE = torch.tensor([1.0, 0.0, 0.4], dtype=torch.float64)


def test_cosine_mse_by_hand():
    assert LOSSES["cosine-mse"](COSINE, SCORE).item() == pytest.approx((0.01 + 0.04 + 0.01) / 3)


def test_pearson_distance_agrees_with_numpy():
    by_numpy = torch.corrcoef(torch.stack([COSINE, SCORE]))[0, 1]
    assert pearson_distance(COSINE, SCORE).item() == pytest.approx(1 - by_numpy.item())
    combined = LOSSES["cosine-mse-pearson"](COSINE, SCORE).item()
    assert combined == pytest.approx(0.02 + PEARSON_SHARE * (1 - by_numpy.item()))


def test_pearson_distance_of_a_batch_without_spread_is_finite():
    flat = torch.full((4,), 0.5, requires_grad=True)
    loss = pearson_distance(flat, torch.rand(4))
    loss.backward()
    assert math.isfinite(loss.item())
    assert torch.isfinite(flat.grad).all()


def test_cosent_by_hand():
    # Pairs with score_i < score_j: (1, 0), (1, 2), (2, 0).
    terms = [math.exp(COSENT_SCALE * gap) for gap in (0.2 - 0.9, 0.2 - 0.5, 0.5 - 0.9)]
    assert cosent(COSINE, SCORE).item() == pytest.approx(math.log1p(sum(terms)))


def test_cosent_counts_order_alone():
    assert cosent(COSINE, SCORE) == cosent(COSINE, SCORE * 3 + 1)
    assert cosent(COSINE, SCORE) < cosent(-COSINE, SCORE)
    assert cosent(COSINE, torch.ones(3)).item() == 0.0


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_step_down_the_gradient_lowers_every_loss(name):
    cosine = torch.tensor([0.1, 0.9, 0.3, 0.5], requires_grad=True)
    score = torch.tensor([0.9, 0.1, 0.6, 0.3])
    before = LOSSES[name](cosine, score)
    before.backward()
    after = LOSSES[name](cosine.detach() - 0.01 * cosine.grad, score)
    assert after < before
