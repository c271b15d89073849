"""Ranks and their scores: by hand, and by an established evaluation library where it is there."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nexus_engine.data.questions.answers import Answers
from nexus_engine.scoring import ranking
from nexus_engine.scoring.ranking import (
    bootstrap_mean_gain,
    ranks_of_answers,
    score_ranks,
)


def brute_force(questions, passages, answers):
    """Ranks by sorting: similarity first, then corpus order."""
    unit = torch.nn.functional.normalize
    table = unit(questions, dim=1) @ unit(passages, dim=1).T
    ranks = []
    for row, start, stop in zip(
        table, answers.rows.offsets, answers.rows.offsets[1:], strict=False
    ):
        order = torch.sort(row, descending=True, stable=True).indices.tolist()
        ranks += [order.index(int(p)) + 1 for p in answers.rows.values[start:stop]]
    return ranks


@pytest.mark.parametrize("block", [1, 7, 1 << 22])
def test_ranks_are_those_of_a_full_sort_whatever_the_block(monkeypatch, block):
    monkeypatch.setattr(ranking, "SIMILARITIES_PER_BLOCK", block)
    generator = torch.Generator().manual_seed(3)
    passages = torch.randn(50, 8, generator=generator)
    passages[20:30] = passages[10:20]  # ties
    questions = torch.randn(9, 8, generator=generator)
    random = np.random.default_rng(0)
    rows = [sorted(random.choice(50, random.integers(0, 6), replace=False)) for _ in range(9)]
    answers = Answers.of(rows)
    found = ranks_of_answers(questions, passages, answers)
    assert found.tolist() == brute_force(questions, passages, answers)


def test_scores_by_hand():
    answers = Answers.of([[0, 1], [2], [3], []], [[1.0, 2.0], [1.0], [1.0], []])
    scores = score_ranks(np.array([1, 3, 11, 2]), answers)
    ideal = 2 / math.log2(2) + 1 / math.log2(3)
    assert scores.ndcg_at_10 == pytest.approx(
        [(1 / math.log2(2) + 2 / math.log2(4)) / ideal, 0, 1 / math.log2(3), 0]
    )
    assert scores.mrr_at_10.tolist() == [1, 0, 0.5, 0]
    assert scores.recall_at_1.tolist() == [0.5, 0, 0, 0]
    assert scores.recall_at_10.tolist() == [1, 0, 1, 0]
    assert scores.recall_at_100.tolist() == [1, 1, 1, 0]
    assert scores.mean().mrr_at_10 == pytest.approx(0.375)


def test_the_gain_of_one_model_over_another_is_paired():
    random = np.random.default_rng(5)
    theirs = random.random(60)
    same = bootstrap_mean_gain(theirs + 0.1, theirs)
    assert same == pytest.approx((0.1, 0.1, 0.1))
    noisy = bootstrap_mean_gain(theirs + random.normal(0, 0.3, 60), theirs)
    assert noisy.low < noisy.value < noisy.high


def test_scores_equal_those_of_trec_eval():
    import pytrec_eval

    generator = torch.Generator().manual_seed(11)
    random = np.random.default_rng(11)
    passages = torch.randn(400, 16, generator=generator)
    questions = torch.randn(80, 16, generator=generator)
    rows = [list(random.choice(400, random.integers(1, 30), replace=False)) for _ in range(80)]
    gains = [list(random.integers(1, 4, len(r)).astype(float)) for r in rows]
    answers = Answers.of(rows, gains)
    ours = score_ranks(ranks_of_answers(questions, passages, answers), answers)
    unit = torch.nn.functional.normalize
    table = (unit(questions, dim=1) @ unit(passages, dim=1).T).double().tolist()
    qrels = {
        f"q{i}": {f"d{p}": int(g) for p, g in zip(*pair, strict=True)}
        for i, pair in enumerate(zip(rows, gains, strict=True))
    }
    run = {f"q{i}": {f"d{j}": s for j, s in enumerate(row)} for i, row in enumerate(table)}
    measures = {"ndcg_cut.10", "recall.1,10,100", "recip_rank"}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)

    def column(name):
        return np.array([theirs[f"q{i}"][name] for i in range(80)])

    reciprocal = column("recip_rank")
    expected = {
        "ndcg_at_10": column("ndcg_cut_10"),
        "mrr_at_10": np.where(reciprocal >= 0.1, reciprocal, 0),
        "recall_at_1": column("recall_1"),
        "recall_at_10": column("recall_10"),
        "recall_at_100": column("recall_100"),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(ours, name), values, atol=1e-6, err_msg=name)
