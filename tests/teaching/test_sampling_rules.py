"""The rules of asking, on clouds of points whose right choice is known."""

import numpy as np
import pytest

from nexus_engine.teaching.sampling_rules import PAIR_RULE, QUESTION_RULE, RULES, Pool
from nexus_engine.teaching.spreading import farthest_first, k_means, nearest_to_centres

TOPICS, EACH = 6, 30


def cloud(topics: int = TOPICS, each: int = EACH, seed: int = 0) -> np.ndarray:
    """`topics` tight clouds of `each` points of length 1, one after the other."""
    random = np.random.default_rng(seed)
    centres = np.repeat(np.eye(topics, 16), each, 0)
    points = centres + random.normal(scale=0.05, size=centres.shape)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def pool(labelled=(), **changes) -> Pool:
    points = cloud()
    n = len(points)
    level = np.random.default_rng(1).uniform(-0.1, 1.0, n)
    known = Pool(points, level, -np.abs(level - 0.5), np.zeros(n), np.asarray(labelled, np.int64))
    return known._replace(**changes)


def topics_of(chosen: np.ndarray) -> set[int]:
    return set((chosen // EACH).tolist())


@pytest.mark.parametrize("name", RULES)
def test_each_rule_asks_what_is_open_once_and_no_more_than_there_is(name):
    labelled = [3, 40, 41, 100]
    seen = pool(labelled)
    chosen = RULES[name](seen, 25, np.random.default_rng(0))
    assert len(chosen) == len(set(chosen.tolist())) == 25
    assert not set(chosen.tolist()) & set(labelled)
    few = Pool(*(values[:7].astype(np.float32) for values in seen[:4]), np.asarray([2, 3]))
    assert sorted(RULES[name](few, 20, np.random.default_rng(0)).tolist()) == [0, 1, 4, 5, 6]


@pytest.mark.parametrize("name", RULES)
def test_a_seed_makes_the_same_choice_again(name):
    first, second = (RULES[name](pool([5]), 10, np.random.default_rng(7)) for _ in range(2))
    assert first.tolist() == second.tolist()


@pytest.mark.parametrize(("name", "labelled"), [("spread", range(EACH)), ("typical", [4])])
def test_rules_that_spread_leave_no_topic_out(name, labelled):
    """The first topic has labels, one or many."""
    chosen = RULES[name](pool(labelled), TOPICS - 1, np.random.default_rng(0))
    assert topics_of(chosen) == set(range(1, TOPICS))


def test_unsure_and_disagree_take_the_highest():
    doubt, difference = np.zeros(TOPICS * EACH), np.zeros(TOPICS * EACH)
    doubt[[8, 90]], difference[[17, 33, 150]] = 1.0, 0.5
    seen = pool(doubt=doubt, difference=difference)
    assert set(RULES["unsure"](seen, 2, np.random.default_rng(0)).tolist()) == {8, 90}
    assert set(RULES["disagree"](seen, 3, np.random.default_rng(0)).tolist()) == {17, 33, 150}


def test_mixed_asks_unsure_ones_of_different_topics():
    doubt = np.zeros(TOPICS * EACH)
    doubt[: 2 * EACH] = 1.0  # two topics are unsure throughout
    chosen = RULES["mixed"](pool(doubt=doubt), 6, np.random.default_rng(0))
    unsure = chosen[doubt[chosen] > 0]
    assert len(unsure) >= 4
    assert topics_of(unsure) == {0, 1}


def test_levels_asks_as_many_at_each_level():
    level = np.concatenate([np.full(170, 0.05), np.linspace(0.1, 1.0, 10)])
    chosen = RULES["levels"](pool(level=level), 10, np.random.default_rng(0))
    assert np.unique(np.floor(level[chosen] * 10).clip(max=9)).size >= 9


def test_greedy_avoids_what_is_near_in_text_or_in_similarity():
    seen = pool()
    chosen = RULES["greedy"](seen, 12, np.random.default_rng(0))
    assert len(topics_of(chosen)) >= 5
    assert np.ptp(seen.level[chosen]) > 0.9


def test_the_defaults_are_rules():
    assert PAIR_RULE in RULES
    assert QUESTION_RULE in RULES


def test_k_means_finds_separate_clouds_and_heeds_weights():
    points = cloud()
    centres, cluster = k_means(points, TOPICS, np.random.default_rng(0))
    sizes = [set(cluster[i * EACH : (i + 1) * EACH].tolist()) for i in range(TOPICS)]
    assert all(len(each) == 1 for each in sizes)
    assert len(set.union(*sizes)) == TOPICS
    assert len(set(nearest_to_centres(points, centres).tolist())) == TOPICS
    line = np.asarray([[0.0], [1.0]])
    (centre,), _ = k_means(line, 1, np.random.default_rng(0), weights=np.asarray([3.0, 1.0]))
    assert centre[0] == pytest.approx(0.25)


def test_k_means_of_equal_points_ends():
    centres, cluster = k_means(np.ones((5, 3)), 4, np.random.default_rng(0))
    assert centres.shape == (4, 3)
    assert len(cluster) == 5


def test_farthest_first_starts_far_from_what_is_taken():
    points = np.asarray([[0.0], [1.0], [5.0], [9.0]])
    chosen = farthest_first(points, np.asarray([0]), 3, np.random.default_rng(0))
    assert chosen.tolist() == [3, 2, 1]
