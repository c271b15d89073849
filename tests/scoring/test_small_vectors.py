"""Retrieval with fewer numbers and fewer bits: by hand, in integers, and near the float result."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nexus_engine.data.questions.answers import Answers
from nexus_engine.scoring import ranking
from nexus_engine.scoring.ranking import ranks_by_product, ranks_of_answers, score_ranks
from nexus_engine.scoring.small_vectors import (
    EXACT_NUMBERS,
    FORMATS,
    as_int8,
    as_signs,
    int8_scale,
    judge_small_vectors,
)


def clustered(passages=4000, questions=800, width=96, groups=200, seed=0):
    """Questions near one passage each, among passages in clusters."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(groups, width, generator=generator)
    corpus = centres[torch.arange(passages) % groups]
    corpus = corpus + 0.7 * torch.randn(passages, width, generator=generator)
    own = torch.randperm(passages, generator=generator)[:questions]
    asking = corpus[own] + 1.8 * torch.randn(questions, width, generator=generator)
    return asking, corpus, Answers.of([[int(p)] for p in own])


def test_every_size_and_format_in_order_with_its_bytes():
    judged = judge_small_vectors(*clustered(300, 20), (96, 12, 9))
    assert [(each.numbers, each.format, each.bytes_per_passage) for each in judged] == [
        (96, "float32", 384),
        (96, "int8", 96),
        (96, "signs", 12),
        (12, "float32", 48),
        (12, "int8", 12),
        (12, "signs", 2),
        (9, "float32", 36),
        (9, "int8", 9),
        (9, "signs", 2),
    ]
    assert {each.format for each in judged} == set(FORMATS)


def test_float32_at_full_width_is_the_usual_judgement():
    questions, passages, answers = clustered()
    full = judge_small_vectors(questions, passages, answers, (96,))[0]
    usual = score_ranks(ranks_of_answers(questions, passages, answers), answers).mean()
    assert (full.ndcg_at_10, full.recall_at_10) == (usual.ndcg_at_10, usual.recall_at_10)
    assert 0.2 < full.ndcg_at_10 < 0.98  # neither trivial nor hopeless


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_int8_finds_what_floats_find_within_3_thousandths(seed):
    by_key = {
        (each.numbers, each.format): each
        for each in judge_small_vectors(*clustered(seed=seed), (96, 64))
    }
    for numbers in (96, 64):
        exact = by_key[numbers, "float32"]
        assert by_key[numbers, "int8"].ndcg_at_10 == pytest.approx(exact.ndcg_at_10, abs=0.003)
        assert by_key[numbers, "signs"].ndcg_at_10 < exact.ndcg_at_10
    assert by_key[64, "float32"].ndcg_at_10 < by_key[96, "float32"].ndcg_at_10


def test_int8_by_hand():
    passages = torch.tensor([[0.6, -0.8], [1.0, 0.0], [0.1, 0.995]])
    scale = int8_scale(passages)
    assert scale == 127
    assert as_int8(passages, scale).tolist() == [[76, -102], [127, 0], [13, 126]]
    # A question may reach beyond the passages: it is cut there.
    assert as_int8(torch.tensor([[2.0, -2.0]]), scale).tolist() == [[127, -127]]
    half = 0.5 * passages
    assert int8_scale(half) == 254
    assert torch.equal(as_int8(half, 254), as_int8(passages, 127))
    assert int8_scale(torch.zeros(3, 2)) == 1
    assert int8_scale(torch.zeros(0, 2)) == 1


def test_the_passages_set_the_scale_whatever_the_questions():
    # By the passages: 126 and 127. By the question, whose largest number is 1: 64 and 64.
    passages = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.502, 0.5, 0.5, 0.498]])
    question = torch.tensor([[1.0, 0, 0, 0]])
    judged = judge_small_vectors(question, passages, Answers.of([[1]]), (4,))[1]
    assert judged.ndcg_at_10 == 1


def test_int8_ranks_are_those_of_integer_products():
    questions, passages, answers = clustered(700, 60, width=384)
    questions[::2, 5] *= 12  # beyond the largest number of any passage: these are cut there
    unit = torch.nn.functional.normalize
    scale = int8_scale(unit(passages, dim=1))
    asking = as_int8(unit(questions, dim=1), scale).numpy().astype(np.int64)
    stored = as_int8(unit(passages, dim=1), scale).numpy().astype(np.int64)
    products = asking @ stored.T
    order = np.argsort(-products, axis=1, kind="stable")
    ranks = np.array(
        [
            1 + int(np.flatnonzero(row == own)[0])
            for row, own in zip(order, answers.rows.values, strict=True)
        ]
    )
    expected = score_ranks(ranks, answers).mean()
    judged = judge_small_vectors(questions, passages, answers, (384,))[1]
    assert (judged.ndcg_at_10, judged.recall_at_10) == (
        expected.ndcg_at_10,
        expected.recall_at_10,
    )
    as_floats = torch.from_numpy(asking).float() @ torch.from_numpy(stored).float().T
    assert np.array_equal(as_floats.numpy().astype(np.int64), products)


def test_the_largest_sum_of_int8_products_is_exact():
    full = torch.full((1, EXACT_NUMBERS), 127.0)
    assert float(full @ full.T) == EXACT_NUMBERS * 127**2


def test_signs_by_hand():
    assert as_signs(torch.tensor([[0.2, 0.0, -0.1]])).tolist() == [[1, -1, -1]]
    passages = torch.tensor([[0.1, 0.9], [0.9, -0.1], [0.9, 0.1]])
    # Signs ++, +-, ++ with 0.6 and 0.8: products 1.4, -0.2, 1.4.
    answers = Answers.of([[0, 1, 2]])
    question = torch.tensor([[0.6, 0.8]])
    ranks = ranks_by_product(question, as_signs(passages).float(), answers)
    assert ranks.tolist() == [1, 3, 2]
    judged = judge_small_vectors(question, passages, Answers.of([[2]]), (2,))[2]
    assert judged.ndcg_at_10 == pytest.approx(1 / math.log2(3))


@pytest.mark.parametrize("format_place", range(3))
def test_equal_passages_rank_in_corpus_order(format_place):
    passages = torch.randn(1, 32, generator=torch.Generator().manual_seed(1)).expand(133, -1)
    questions = torch.randn(3, 32, generator=torch.Generator().manual_seed(2))
    for place in (0, 8, 132):
        answers = Answers.of([[place]] * 3)
        judged = judge_small_vectors(questions, passages, answers, (32,))[format_place]
        expected = 1 / math.log2(place + 2) if place < 10 else 0
        assert judged.ndcg_at_10 == pytest.approx(expected)


def test_blocks_change_nothing_and_each_asks_whether_to_stop(monkeypatch):
    case = clustered(500, 50)
    together = judge_small_vectors(*case, (24,))
    monkeypatch.setattr(ranking, "SIMILARITIES_PER_BLOCK", 1)
    stops = []
    assert judge_small_vectors(*case, (24,), lambda: stops.append(1)) == together
    assert len(stops) == 3 * math.ceil(50 / ranking.MIN_QUESTIONS_PER_BLOCK)


def test_a_model_that_has_diverged_has_no_score():
    questions, passages, answers = clustered(100, 5)
    for judged in judge_small_vectors(questions * float("nan"), passages, answers, (96,)):
        assert math.isnan(judged.ndcg_at_10)


@pytest.mark.parametrize("size", [0, 97])
def test_a_size_outside_the_width_is_refused(size):
    with pytest.raises(ValueError, match=f"a vector size of {size} lies outside 1 to 96"):
        judge_small_vectors(*clustered(100, 5), (size,))
