"""What a step learns from: rows, targets and losses of each kind of example."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nexus_engine.data.questions.answers import Ragged
from nexus_engine.model.tokens import TokenStore
from nexus_engine.scoring.corpus import PairRows
from nexus_engine.training.steps.objective import GradedPairs
from nexus_engine.training.steps.question_pairs import QuestionPairs
from nexus_engine.training.steps.ranking_loss import ranking_loss
from nexus_engine.training.steps.rehearsal import SENTENCES_PER_STEP, Rehearsed


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
