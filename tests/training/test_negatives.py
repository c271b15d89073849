"""Hard negatives: mined against a brute force, and similar examples in one batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nexus_engine.data.questions.answers import Ragged
from nexus_engine.scoring.corpus_sample import places_among
from nexus_engine.training.steps import negatives
from nexus_engine.training.steps.negatives import mine_negatives, neighbour_batches


class Case:
    """Forty examples of twenty questions over sixty passages, some of them equal."""

    def __init__(self):
        generator = torch.Generator().manual_seed(7)
        random = np.random.default_rng(7)
        self.passages = torch.randn(60, 8, generator=generator)
        self.passages[50:] = self.passages[:10]
        of_question = torch.randn(20, 8, generator=generator)
        question = np.repeat(np.arange(20), 2)
        self.questions = of_question[question]
        known = [random.choice(60, 2, replace=False) for _ in range(20)]
        self.own = np.array([known[q][i % 2] for i, q in enumerate(question)])
        self.known = Ragged.of([known[q].tolist() for q in question])
        self.given = Ragged.of([random.choice(60, i % 4, replace=False) for i in range(40)])

    def mine(self, **options):
        return mine_negatives(self.questions, self.passages, self.own, self.known, **options)

    def candidates(self, example, nearest, margin, left_out=()):
        """The `nearest` candidates of an example, by a sort."""
        unit = torch.nn.functional.normalize
        row = unit(self.passages, dim=1) @ unit(self.questions[example], dim=0)
        order = torch.sort(row, descending=True, stable=True).indices.tolist()
        barred = {*self.known.list_at(example).tolist(), *left_out}
        if margin is not None:
            limit = float(row[self.own[example]]) - margin
            order = [p for p in order if row[p] < limit - 1e-6]
        return [p for p in order if p not in barred][:nearest]


@pytest.fixture
def case():
    return Case()


@pytest.mark.parametrize("margin", [None, 0.0, 0.3])
@pytest.mark.parametrize("nearest", [1, 5, 58, 500])
def test_all_candidates_are_those_of_a_sort(case, nearest, margin):
    mined = case.mine(count=60, nearest=nearest, margin=margin)
    for example, row in enumerate(mined):
        expected = case.candidates(example, nearest, margin)
        assert sorted(row[: len(expected)].tolist()) == sorted(expected)
        assert (row[len(expected) :] == -1).all()


def test_a_draw_takes_each_candidate_about_equally_often(case):
    expected = case.candidates(0, 6, None)
    drawn = np.concatenate([case.mine(count=2, nearest=6, seed=s)[0] for s in range(600)])
    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == sorted(expected)
    assert counts.min() > 150
    assert counts.max() < 250


def test_the_draw_depends_on_the_seed_alone(case, monkeypatch):
    first = case.mine(count=3, nearest=10, given=case.given)
    assert not np.array_equal(first, case.mine(count=3, nearest=10, given=case.given, seed=1))
    monkeypatch.setattr(negatives, "SIMILARITIES_PER_BLOCK", 1)
    monkeypatch.setattr(negatives, "MIN_QUESTIONS_PER_BLOCK", 3)
    stops = []
    again = case.mine(count=3, nearest=10, given=case.given, check=lambda: stops.append(1))
    assert np.array_equal(first, again)
    assert len(stops) == 14


def test_negatives_of_the_data_come_first_and_once(case):
    mined = case.mine(count=5, nearest=4, given=case.given)
    for example, row in enumerate(mined):
        right = set(case.known.list_at(example).tolist())
        given = set(case.given.list_at(example).tolist()) - right
        assert set(row[: len(given)].tolist()) == given
        rest = row[len(given) :]
        near = case.candidates(example, 4, None, left_out=given)
        assert set(rest[rest >= 0].tolist()) <= set(near)
        assert len(rest[rest >= 0]) == min(4, 5 - len(given))


def test_more_given_negatives_than_wanted_are_drawn_from(case):
    given = Ragged.of(
        [
            [p for p in range(20, 50) if p not in k]
            for k in np.split(case.known.values, case.known.offsets[1:-1])
        ]
    )
    drawn = [case.mine(count=2, nearest=4, given=given, seed=s)[0] for s in range(50)]
    assert set(np.concatenate(drawn).tolist()) <= set(given.list_at(0).tolist())
    assert len(np.unique(np.concatenate(drawn))) > 15


def test_a_nan_makes_no_negative():
    nan = float("nan")
    passages = torch.tensor([[1.0, 0], [nan, 0], [0, 1], [1, 1]])
    questions = torch.tensor([[1.0, 0], [nan, 0]])
    known = Ragged.of([[0], [0]])
    for margin in (None, 0.0):
        mined = mine_negatives(
            questions, passages, np.array([0, 0]), known, count=3, nearest=3, margin=margin
        )
        assert sorted(mined[0].tolist()) == [-1, 2, 3]
        assert mined[1].tolist() == [-1, -1, -1]


def test_answers_outside_a_sample_bar_nothing(case):
    """Of a sample of the passages, negatives are those of the whole corpus that are in it."""
    sample = np.sort(np.random.default_rng(1).permutation(60)[:35])
    inside = Ragged(case.known.offsets, places_among(sample, case.known.values))
    own = places_among(sample, case.own)
    given = Ragged(case.given.offsets, places_among(sample, case.given.values))
    assert 0 < (own < 0).sum() < 40
    for margin in (None, 0.3):
        mined = mine_negatives(
            case.questions,
            case.passages[torch.from_numpy(sample)],
            own,
            inside,
            count=60,
            nearest=60,
            margin=margin,
            given=given,
        )
        for example, row in enumerate(mined):
            negatives = set(sample[row[row >= 0]].tolist())
            barred = set(case.known.list_at(example).tolist())
            named = set(case.given.list_at(example).tolist()) - barred
            near = case.candidates(example, 60, None if own[example] < 0 else margin)
            assert negatives == (set(near) | named) & set(sample.tolist())


def test_equal_passages_beyond_the_nearest_are_those_last_in_the_corpus():
    passages = torch.ones(40, 4)
    mined = mine_negatives(
        torch.ones(1, 4), passages, np.array([3]), Ragged.of([[3]]), count=9, nearest=5
    )
    assert sorted(mined[0].tolist()) == [-1] * 4 + [0, 1, 2, 4, 5]


def clusters(n=500, groups=25, width=16):
    generator = torch.Generator().manual_seed(3)
    centres = torch.randn(groups, width, generator=generator)
    group = torch.arange(n) % groups
    return centres[group] + 0.3 * torch.randn(n, width, generator=generator)


def within(vectors, batches):
    """The mean cosine of two examples of a batch."""
    unit = torch.nn.functional.normalize(vectors, dim=1)
    means = []
    for batch in batches:
        table = unit[torch.from_numpy(batch)] @ unit[torch.from_numpy(batch)].T
        b = len(batch)
        means.append(float((table.sum() - b) / (b * (b - 1))))
    return float(np.mean(means))


def test_similar_examples_share_a_batch():
    vectors = clusters()
    near = neighbour_batches(vectors, 20, seed=0, epoch=1)
    mixed = neighbour_batches(vectors, 20, seed=0, epoch=1, cell=4)
    random = np.split(np.random.default_rng(0).permutation(500), 25)
    assert within(vectors, random) < 0.05
    assert within(vectors, mixed) > within(vectors, random) + 0.05
    assert within(vectors, near) > 0.4


@pytest.mark.parametrize("cell", [None, 1, 7])
@pytest.mark.parametrize(
    ("n", "sizes"),
    [(0, []), (1, [1]), (2, [2]), (32, [32]), (33, [33]), (34, [32, 2]), (100, [32, 32, 32, 4])],
)
def test_each_example_occurs_once_in_full_batches(n, sizes, cell):
    vectors = torch.randn(n, 5, generator=torch.Generator().manual_seed(0))
    batches = neighbour_batches(vectors, 32, seed=4, epoch=2, cell=cell)
    assert [len(batch) for batch in batches] == sizes
    assert sorted(np.concatenate([np.zeros(0, np.int64), *batches]).tolist()) == list(range(n))


def test_the_order_depends_on_seed_and_epoch_alone():
    vectors = clusters()

    def order(**options):
        return np.concatenate(neighbour_batches(vectors, 16, **{"seed": 1, "epoch": 1, **options}))

    assert np.array_equal(order(), order())
    assert not np.array_equal(order(), order(epoch=2))
    assert not np.array_equal(order(), order(seed=2))
    parts = [order(epoch=epoch, per_pass=3) for epoch in (1, 2, 3)]
    assert np.array_equal(np.concatenate(parts), order())
    assert np.array_equal(
        order(epoch=4, per_pass=3),
        np.concatenate(neighbour_batches(vectors, 16, seed=1, epoch=2))[: len(parts[0])],
    )


def test_equal_or_undefined_vectors_are_batched_too():
    for vectors in (torch.ones(50, 3), torch.full((50, 3), float("nan"))):
        batches = neighbour_batches(vectors, 8, seed=0, epoch=1)
        assert sorted(np.concatenate(batches).tolist()) == list(range(50))
