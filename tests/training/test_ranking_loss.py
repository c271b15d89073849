"""The losses of ranking, against computations by hand."""

from __future__ import annotations

import math

import pytest
import torch

from nexus_engine.training.steps.ranking_loss import (
    MARGIN,
    ranking_loss,
    rehearsal_loss,
    triplet_loss,
)


def by_hand(questions, passages, known, scale):
    def cosine(a, b):
        return float(a @ b / (a.norm() * b.norm()))

    b, m = known.shape
    total = 0.0
    for i in range(b):
        columns = [j for j in range(m) if j == i or not known[i, j]]
        weights = [math.exp(scale * cosine(questions[i], passages[j])) for j in columns]
        total -= math.log(math.exp(scale * cosine(questions[i], passages[i])) / sum(weights))
        rows = [j for j in range(b) if j == i or not known[j, i]]
        weights = [math.exp(scale * cosine(questions[j], passages[i])) for j in rows]
        total -= math.log(math.exp(scale * cosine(questions[i], passages[i])) / sum(weights))
    return total / (2 * b)


@pytest.mark.parametrize("negatives", [0, 3])
def test_it_equals_the_sums_by_hand(negatives):
    generator = torch.Generator().manual_seed(1)
    questions = torch.randn(5, 6, generator=generator, dtype=torch.float64)
    passages = torch.randn(5 + negatives, 6, generator=generator, dtype=torch.float64)
    known = torch.rand(5, 5 + negatives, generator=generator) < 0.3
    found = ranking_loss(questions, passages, known, scale=4.0)
    assert float(found) == pytest.approx(by_hand(questions, passages, known, 4.0), rel=1e-12)


def test_a_known_answer_is_no_negative():
    questions = torch.eye(3)
    passages = torch.stack([questions[0], questions[0], questions[2]])
    unmasked = ranking_loss(questions, passages, torch.eye(3, dtype=torch.bool))
    known = torch.eye(3, dtype=torch.bool)
    known[0, 1] = True
    assert ranking_loss(questions, passages, known) < unmasked


def test_a_batch_of_one_has_nothing_to_rank():
    one = torch.randn(1, 4, requires_grad=True)
    loss = ranking_loss(one, one.detach() + 1, torch.ones(1, 1, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert bool(one.grad.isfinite().all())


def test_a_triplet_is_content_once_the_positive_is_nearer_by_the_margin():
    anchor = torch.tensor([[1.0, 0.0]])
    far = torch.tensor([[0.0, 1.0]])
    assert float(triplet_loss(anchor, anchor, far)) == 0
    assert float(triplet_loss(anchor, far, anchor)) == pytest.approx(1 + MARGIN)


def test_triplets_that_do_not_count_are_left_out_of_the_mean():
    generator = torch.Generator().manual_seed(5)
    sides = [torch.randn(4, 6, generator=generator) for _ in range(3)]
    counted = torch.tensor([True, False, True, False])
    expected = triplet_loss(*(side[counted] for side in sides))
    assert float(triplet_loss(*sides, counted)) == pytest.approx(float(expected))
    assert triplet_loss(*sides, torch.ones(4, dtype=torch.bool)) == triplet_loss(*sides)
    assert triplet_loss(*sides, torch.zeros(4, dtype=torch.bool)) == 0


def test_rehearsal_is_zero_where_nothing_moved():
    vectors = torch.randn(4, 8)
    assert float(rehearsal_loss(2 * vectors, vectors)) == pytest.approx(0, abs=1e-6)
    assert float(rehearsal_loss(-vectors, vectors)) == pytest.approx(2, abs=1e-6)
