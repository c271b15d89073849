"""What a step learns from: rows, targets and losses of each kind of example."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nexus_engine.data.questions.answers import Ragged
from nexus_engine.model.tokens import TokenStore
from nexus_engine.scoring.corpus import PairRows
from nexus_engine.training.steps.labelled_pairs import THRESHOLD, LabelledPairs, middle_cosine
from nexus_engine.training.steps.objective import GradedPairs, Objective
from nexus_engine.training.steps.question_pairs import QuestionPairs
from nexus_engine.training.steps.ranking_loss import MARGIN, ranking_loss
from nexus_engine.training.steps.rehearsal import SENTENCES_PER_STEP, Rehearsed
from nexus_engine.training.steps.triplets import Triplets


@pytest.fixture
def store():
    """Twenty sentences of 1 to 5 tokens."""
    store = TokenStore(lambda texts: [[1] * (len(text) % 5 + 1) for text in texts])
    store.add([["x" * i for i in range(20)]])
    return store


def test_graded_pairs_follow_their_scores(store):
    pairs = PairRows(np.array([0, 1, 2]), np.array([3, 4, 5]), np.array([0, 0.5, 1], np.float32))
    graded = GradedPairs(pairs, store, "cosine-mse")
    batch = np.array([2, 0])
    assert graded.rows(batch).tolist() == [2, 0, 5, 3]
    (scores,) = graded.targets(batch)
    assert scores.tolist() == [1, 0]
    vectors = torch.tensor([[1.0, 0], [1, 0], [1, 0], [0, 1]])
    assert graded.loss(vectors, (torch.from_numpy(scores),)).item() == 0
    assert graded.lengths.tolist() == (store.lengths[:3] + store.lengths[3:6]).tolist()


@pytest.fixture
def examples(store):
    """Questions 0, 0, 1, 2 with the answers 10, 11, 11, 12."""
    known = Ragged.of([[10, 11], [11], [12]])
    return QuestionPairs(np.array([0, 0, 1, 2]), np.array([10, 11, 11, 12]), known, store)


def test_known_answers_are_masked_whichever_example_brings_them(examples):
    batch = np.array([0, 1, 2, 3])
    assert examples.rows(batch).tolist() == [0, 0, 1, 2, 10, 11, 11, 12]
    (known,) = examples.targets(batch)
    expected = [[1, 1, 1, 0], [1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]]
    assert known.astype(int).tolist() == expected


def test_negatives_join_the_passages_once(examples):
    examples.set_negatives(np.array([[13, 12], [13, -1], [-1, -1], [10, 14]]))
    batch = np.array([0, 3])
    assert examples.rows(batch).tolist() == [0, 2, 10, 12, 13, 14]
    (known,) = examples.targets(batch)
    assert known.astype(int).tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]
    vectors = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    loss = examples.loss(vectors, (torch.from_numpy(known),))
    assert loss == ranking_loss(vectors[:2], vectors[2:], torch.from_numpy(known))


def test_rehearsal_adds_the_distance_from_the_base_and_nothing_at_weight_0(examples, store):
    general = np.arange(15, 20)
    base = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    rehearsed = Rehearsed(examples, general, base, 0.5)
    batch = np.array([0, 3])
    rows = rehearsed.rows(batch)
    n = min(SENTENCES_PER_STEP, 5)
    assert rows[:-n].tolist() == examples.rows(batch).tolist()
    assert set(rows[-n:]) <= set(general)
    targets = tuple(torch.from_numpy(values) for values in rehearsed.targets(batch))
    vectors = torch.randn(len(rows), 8, generator=torch.Generator().manual_seed(1))
    own = examples.loss(vectors[:-n], targets[:1])
    apart = 1 - torch.cosine_similarity(vectors[-n:], targets[1])
    assert rehearsed.loss(vectors, targets).item() == pytest.approx(
        (own + 0.5 * apart.mean()).item()
    )
    order = [general.tolist().index(row) for row in rows[-n:]]
    assert torch.equal(targets[1], torch.from_numpy(base[order]))
    rehearsed.weight = 0.0
    assert rehearsed.rows(batch).tolist() == examples.rows(batch).tolist()
    assert rehearsed.loss(vectors[:-n], targets[:1]) == own


def cosines(first, second):
    return [float(a @ b / (a.norm() * b.norm())) for a, b in zip(first, second, strict=True)]


def test_labelled_pairs_by_hand(store):
    marks = np.array([1, 0, 1, 0, 0], np.float32)
    pairs = PairRows(np.arange(5), np.arange(5, 10), marks)
    labelled: Objective = LabelledPairs(pairs, store, threshold=0.25)
    batch = np.array([3, 0, 2, 4])
    assert labelled.rows(batch).tolist() == [3, 0, 2, 4, 8, 5, 7, 9]
    assert labelled.lengths.tolist() == (store.lengths[:5] + store.lengths[5:10]).tolist()
    targets = tuple(torch.from_numpy(values) for values in labelled.targets(batch))
    assert targets[0].tolist() == [0, 1, 1, 0]
    vectors = torch.randn(8, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    chances = [
        1 / (1 + math.exp(-20 * (near - 0.25))) for near in cosines(vectors[:4], vectors[4:])
    ]
    chances = [1 - chances[0], chances[1], chances[2], 1 - chances[3]]
    by_hand = -sum(map(math.log, chances)) / 4
    assert labelled.loss(vectors, targets).item() == pytest.approx(by_hand, rel=1e-5)


def test_the_threshold_lies_between_the_cosines_of_both_marks():
    cosines = np.array([0.9, 0.2, 0.7, 0.4])
    marks = np.array([1, 0, 1, 0], np.float32)
    assert middle_cosine(cosines, marks) == pytest.approx(0.55)
    for bad in (np.ones(4, np.float32), np.zeros(4, np.float32)):
        assert middle_cosine(cosines, bad) == THRESHOLD
    assert middle_cosine(np.array([np.nan, 0.2, 0.7, 0.4]), marks) == THRESHOLD


def test_a_step_down_the_gradient_brings_marked_pairs_nearer(store):
    pairs = PairRows(np.arange(4), np.arange(4, 8), np.array([1, 1, 0, 0], np.float32))
    vectors = torch.randn(8, 6, generator=torch.Generator().manual_seed(3)).requires_grad_()
    marks = torch.tensor([1.0, 1, 0, 0])
    LabelledPairs(pairs, store).loss(vectors, (marks,)).backward()
    moved = vectors.detach() - 0.02 * vectors.grad
    before = cosines(vectors.detach()[:4], vectors.detach()[4:])
    after = cosines(moved[:4], moved[4:])
    assert sum(after[:2]) - sum(after[2:]) > sum(before[:2]) - sum(before[2:])


@pytest.fixture
def triplets(store):
    """Four triplets; the negative of the second is a positive of the same anchor in the third."""
    return Triplets(np.array([0, 1, 1, 2]), np.array([5, 6, 7, 8]), np.array([9, 7, 10, 5]), store)


def test_triplets_by_hand(triplets, store):
    batch = np.array([3, 1, 0])
    assert triplets.rows(batch).tolist() == [2, 1, 0, 8, 6, 5, 5, 7, 9]
    assert triplets.lengths[3] == store.lengths[2] + store.lengths[8] + store.lengths[5]
    targets = tuple(torch.from_numpy(values) for values in triplets.targets(batch))
    assert targets[0].tolist() == [True, False, True]
    vectors = torch.randn(9, 6, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    near, far = cosines(vectors[:3], vectors[3:6]), cosines(vectors[:3], vectors[6:])
    hinges = [max(0.0, far[i] - near[i] + MARGIN) for i in (0, 2)]
    assert max(hinges) > 0
    assert triplets.loss(vectors, targets).item() == pytest.approx(sum(hinges) / 2, rel=1e-5)


def test_triplets_that_all_contradict_others_teach_nothing(triplets):
    vectors = torch.randn(3, 6, requires_grad=True)
    loss = triplets.loss(vectors, (torch.tensor([False]),))
    loss.backward()
    assert loss.item() == 0
    assert vectors.grad.abs().max() == 0


def objectives(store, dims=None):
    """Each objective with twelve examples, and the rows of a batch; `dims` None: as without it."""
    more = {} if dims is None else {"dims": dims}
    n = np.arange(6)
    pairs = PairRows(n, n + 6, np.array([0, 1, 0, 1, 1, 0], np.float32))
    known = Ragged.of([[10 + i] for i in range(6)])
    return [
        GradedPairs(pairs, store, "cosine-mse-pearson", **more),
        LabelledPairs(pairs, store, **more),
        QuestionPairs(n, n + 10, known, store, np.array([[16, 17]] * 6), **more),
        Triplets(n, n + 6, n + 12, store, **more),
    ]


def losses(objective, sizes=None):
    """The loss of fixed vectors and its gradient; of their first `sizes` numbers."""
    batch = np.array([4, 1, 0, 5])
    rows = objective.rows(batch)
    vectors = torch.randn(len(rows), 16, generator=torch.Generator().manual_seed(6))
    targets = tuple(torch.from_numpy(values) for values in objective.targets(batch))
    vectors = vectors[:, :sizes].clone().requires_grad_()
    loss = objective.loss(vectors, targets)
    loss.backward()
    return loss, vectors.grad


@pytest.mark.parametrize("place", range(4))
def test_nested_sizes_take_the_mean_and_none_change_no_bit(store, place):
    plain = objectives(store)[place]
    value, gradient = losses(plain)
    same_value, same_gradient = losses(objectives(store, ())[place])
    assert torch.equal(value, same_value)
    assert torch.equal(gradient, same_gradient)
    nested, _ = losses(objectives(store, (4, 9))[place])
    alone = [losses(plain, size)[0].item() for size in (4, 9, 16)]
    assert nested.item() == pytest.approx(sum(alone) / 3, rel=1e-5)


def test_rehearsal_goes_with_every_objective(store):
    base = np.random.default_rng(0).normal(size=(5, 16)).astype(np.float32)
    for objective in objectives(store):
        rehearsed = Rehearsed(objective, np.arange(15, 20), base, 1.0)
        loss, _ = losses(rehearsed)
        own, _ = losses(objective)
        assert loss > own
