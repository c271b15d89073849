"""Nested vectors: the mean of a loss over the first numbers, each size normalised again."""

from __future__ import annotations

import pytest
import torch

from nexus_engine.training.steps.losses import LOSSES
from nexus_engine.training.steps.nested_loss import nested_loss, nested_sizes
from nexus_engine.training.steps.ranking_loss import ranking_loss

KNOWN = torch.eye(4, dtype=torch.bool)


def ranking(part):
    return ranking_loss(part[:4], part[4:], KNOWN)


def graded(part):
    scores = torch.tensor([0.1, 0.9, 0.4, 0.6])
    return LOSSES["cosine-mse-pearson"](torch.cosine_similarity(part[:4], part[4:]), scores)


@pytest.fixture
def vectors():
    return torch.randn(8, 12, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("loss", [ranking, graded])
def test_it_is_the_mean_over_the_sizes_and_the_full_width(vectors, loss):
    by_hand = []
    for size in (3, 6, 12):
        cut = vectors[:, :size].double()
        unit = cut / cut.pow(2).sum(1, keepdim=True).sqrt()
        by_hand.append(float(loss(unit.float())))
    nested = nested_loss(loss, vectors, (6, 3))
    assert float(nested) == pytest.approx(sum(by_hand) / 3, rel=1e-5)
    assert nested == nested_loss(loss, vectors, (3, 12, 6, 6))


def test_the_gradient_is_the_mean_of_the_gradients(vectors):
    def gradient(sizes):
        leaf = vectors.double().requires_grad_()
        nested_loss(ranking, leaf, sizes).backward()
        return leaf.grad

    alone = [torch.zeros(8, 12, dtype=torch.float64) for _ in range(2)]
    for place, size in enumerate((5, 12)):
        leaf = vectors[:, :size].double().requires_grad_()
        ranking(leaf).backward()
        alone[place][:, :size] = leaf.grad
    assert torch.allclose(gradient((5,)), sum(alone) / 2, rtol=1e-12, atol=0)


def test_without_sizes_the_loss_is_untouched(vectors):
    assert nested_loss(ranking, vectors) == ranking(vectors)
    assert nested_loss(lambda part: part, vectors) is vectors


def test_it_equals_that_of_sentence_transformers(vectors):
    try:
        from sentence_transformers.sentence_transformer import losses
    except ImportError:  # before release 5.4
        from sentence_transformers import losses

    class Fixed(torch.nn.Module):
        """Stands in for a model: returns the vectors that it is given."""

        def forward(self, features):
            return {"sentence_embedding": features["vectors"]}

        def get_embedding_dimension(self):
            return 12

        get_sentence_embedding_dimension = get_embedding_dimension

    model = Fixed()
    inner = losses.MultipleNegativesRankingLoss(model, scale=20.0)
    theirs = losses.MatryoshkaLoss(model, inner, matryoshka_dims=[12, 6, 3])
    features = [{"vectors": vectors[:4]}, {"vectors": vectors[4:]}]
    total = float(theirs(features, None))  # the sum over sizes, of one direction

    def forward_only(part):
        unit = torch.nn.functional.normalize(part, dim=1)
        return torch.nn.functional.cross_entropy(20 * unit[:4] @ unit[4:].T, torch.arange(4))

    assert 3 * float(nested_loss(forward_only, vectors, (6, 3))) == pytest.approx(total, rel=1e-5)


def test_sizes_are_sorted_and_within_the_width():
    assert nested_sizes((96, 48, 48), 384) == (48, 96, 384)
    assert nested_sizes((), 384) == (384,)
    for size in (0, -1, 385):
        with pytest.raises(ValueError, match=f"a nested size of {size} lies outside 1 to 384"):
            nested_sizes((size,), 384)
