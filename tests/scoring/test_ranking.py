"""Ranks and their scores: by hand, and by an established evaluation library."""

from __future__ import annotations

import math

import numpy as np
import pytest
import pytrec_eval
import torch

from nexus_engine.data.questions.answers import Answers
from nexus_engine.scoring import ranking
from nexus_engine.scoring.ranking import (
    NOT_RANKED,
    UNDEFINED,
    best_passage_ranks,
    bootstrap_mean,
    bootstrap_mean_gain,
    ranks_by_product,
    ranks_of_answers,
    score_ranks,
    unit_rows,
)


def small_blocks(monkeypatch, questions):
    monkeypatch.setattr(ranking, "SIMILARITIES_PER_BLOCK", 1)
    monkeypatch.setattr(ranking, "MIN_QUESTIONS_PER_BLOCK", questions)


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


@pytest.mark.parametrize("block", [1, 7, 100])
def test_ranks_are_those_of_a_full_sort_whatever_the_block(monkeypatch, block):
    small_blocks(monkeypatch, block)
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


@pytest.mark.parametrize("passages", [7, 50, 131, 1003])
@pytest.mark.parametrize("questions", [1, 5, 17])
def test_equal_passages_rank_in_corpus_order_wherever_they_stand(passages, questions):
    # Without padding, a product computes the last few of them by other code, and rounds otherwise.
    generator = torch.Generator().manual_seed(1)
    same = torch.randn(1, 48, generator=generator).expand(passages, -1)
    asking = torch.randn(questions, 48, generator=generator)
    answers = Answers.of([[0, passages // 2, passages - 1]] * questions)
    expected = [1, passages // 2 + 1, passages] * questions
    assert ranks_of_answers(asking, same, answers).tolist() == expected
    assert ranks_by_product(asking, unit_rows(same), answers).tolist() == expected
    documents = np.arange(passages)
    assert best_passage_ranks(asking, same, documents, answers).tolist() == expected


def test_vectors_of_zeros_rank_in_corpus_order():
    passages = torch.tensor([[1.0, 0], [0, 0], [-1, 0], [0, 0]])
    questions = torch.tensor([[1.0, 0], [0, 0]])
    answers = Answers.of([[0, 1, 2, 3], [0, 1, 2, 3]])
    assert ranks_of_answers(questions, passages, answers).tolist() == [1, 2, 4, 3, 1, 2, 3, 4]


def test_a_nan_has_no_score_and_ranks_behind_all_others():
    nan = float("nan")
    passages = torch.tensor([[1.0, 0], [nan, 0], [-1, 0]])
    questions = torch.tensor([[1.0, 0], [1, 0], [nan, 0]])
    answers = Answers.of([[2], [0, 1], [2]])
    ranks = ranks_of_answers(questions, passages, answers)
    assert ranks.tolist() == [2, 1, UNDEFINED, UNDEFINED]
    scores = score_ranks(ranks, answers)
    assert scores.ndcg_at_10[0] == pytest.approx(1 / math.log2(3))
    for values in scores:
        assert np.isnan(values).tolist() == [False, True, True]
    assert math.isnan(scores.mean().ndcg_at_10)
    assert all(math.isnan(value) for value in bootstrap_mean(scores.ndcg_at_10))


def test_without_passages_or_questions_there_is_no_rank():
    empty = Answers.of([[], []])
    ranks = ranks_of_answers(torch.randn(2, 4), torch.zeros(0, 4), empty)
    assert len(ranks) == 0
    assert score_ranks(ranks, empty).ndcg_at_10.tolist() == [0, 0]
    none = Answers.of([])
    ranks = ranks_of_answers(torch.zeros(0, 4), torch.randn(3, 4), none)
    assert all(math.isnan(value) for value in score_ranks(ranks, none).mean())


def test_a_stop_is_seen_before_each_block(monkeypatch):
    small_blocks(monkeypatch, 2)
    calls = []
    ranks_of_answers(
        torch.randn(5, 3), torch.randn(4, 3), Answers.of([[0]] * 5), lambda: calls.append(1)
    )
    assert len(calls) == 3


def test_half_precision_ranks_as_its_own_values():
    passages = torch.randn(30, 8).bfloat16()
    questions = torch.randn(4, 8).bfloat16()
    answers = Answers.of([[1], [2], [3], [4]])
    assert (
        ranks_of_answers(questions, passages, answers).tolist()
        == ranks_of_answers(questions.float(), passages.float(), answers).tolist()
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_ranks_as_the_cpu():
    generator = torch.Generator().manual_seed(5)
    passages = torch.randn(3001, 96, generator=generator)
    passages[2990:] = passages[5]
    questions = torch.randn(40, 96, generator=generator)
    answers = Answers.of([[5, 2992, 3000, i] for i in range(10, 50)])
    documents = np.arange(3001) // 2
    on_cpu = ranks_of_answers(questions, passages, answers)
    on_gpu = ranks_of_answers(questions.cuda(), passages.cuda(), answers)
    assert np.abs(on_cpu - on_gpu).max() <= 1  # rounding may swap two neighbours
    assert np.array_equal(ranks_of_answers(questions, passages.cuda(), answers), on_gpu)
    best = [
        best_passage_ranks(questions.to(d), passages.to(d), documents, answers)
        for d in ("cpu", "cuda")
    ]
    assert np.abs(best[0] - best[1]).max() <= 1


def documents_by_hand(questions, passages, documents, answers):
    """Ranks of documents by the best cosine of their passages, by a loop and a stable sort."""
    table = (unit_rows(questions) @ unit_rows(passages).T).tolist()
    ranks = []
    for question, wanted in enumerate(np.split(answers.rows.values, answers.rows.offsets[1:-1])):
        best = {}
        for document, similarity in zip(documents.tolist(), table[question], strict=True):
            best[document] = max(similarity, best.get(document, -2.0))
        order = sorted(sorted(best), key=lambda document: -best[document])
        ranks += [order.index(int(document)) + 1 for document in wanted]
    return ranks


@pytest.mark.parametrize("block", [1, 4, 100])
def test_a_document_ranks_by_its_best_passage(monkeypatch, block):
    small_blocks(monkeypatch, block)
    generator = torch.Generator().manual_seed(2)
    random = np.random.default_rng(2)
    passages = torch.randn(90, 8, generator=generator)
    questions = torch.randn(11, 8, generator=generator)
    documents = np.concatenate([np.arange(20), random.integers(0, 20, 70)])
    random.shuffle(documents)
    answers = Answers.of([list(random.choice(20, 3, replace=False)) for _ in range(11)])
    ranks = best_passage_ranks(questions, passages, documents, answers)
    assert ranks.tolist() == documents_by_hand(questions, passages, documents, answers)
    # With a passage each, documents are passages.
    each = np.arange(90)
    assert np.array_equal(
        best_passage_ranks(questions, passages, each, answers),
        ranks_of_answers(questions, passages, answers),
    )


def test_a_document_without_a_passage_is_not_ranked():
    passages = torch.tensor([[1.0, 0], [0, 1], [-1, 0]])
    answers = Answers.of([[1, 2, 5]])
    ranks = best_passage_ranks(torch.tensor([[0.0, 1]]), passages, np.array([0, 2, 0]), answers)
    assert ranks.tolist() == [NOT_RANKED, 1, NOT_RANKED]
    assert score_ranks(ranks, answers).recall_at_10.tolist() == [pytest.approx(1 / 3)]


def test_the_interval_of_25_questions_covers_the_mean_about_as_often_as_it_says():
    random = np.random.default_rng(9)
    covered = 0
    for trial in range(300):
        # Like nDCG: many ones, some zeros, a few between; mean 0.65.
        values = random.choice([0.0, 0.5, 1.0], 25, p=[0.25, 0.2, 0.55])
        interval = bootstrap_mean(values, draws=400, seed=trial)
        assert interval.low <= interval.value <= interval.high
        covered += interval.low <= 0.65 <= interval.high
    assert 0.89 <= covered / 300 <= 0.97


def test_the_interval_of_a_mean_is_that_of_scipy():
    from scipy.stats import bootstrap

    values = np.random.default_rng(4).random(25)
    ours = bootstrap_mean(values, draws=20_000)
    theirs = bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    assert ours == pytest.approx((values.mean(), theirs.low, theirs.high), abs=0.003)
    assert all(math.isnan(value) for value in bootstrap_mean(np.zeros(0)))


def test_the_gain_of_one_model_over_another_is_paired():
    random = np.random.default_rng(5)
    theirs = random.random(60)
    same = bootstrap_mean_gain(theirs + 0.1, theirs)
    assert same == pytest.approx((0.1, 0.1, 0.1))
    noisy = bootstrap_mean_gain(theirs + random.normal(0, 0.3, 60), theirs)
    assert noisy.low < noisy.value < noisy.high


def trec_eval(table, rows, gains):
    """Our scores' names with the values of trec_eval, from similarities (q, p)."""
    qrels = {
        f"q{i}": {f"d{p}": int(g) for p, g in zip(*pair, strict=True)}
        for i, pair in enumerate(zip(rows, gains, strict=True))
    }
    run = {f"q{i}": {f"d{j}": s for j, s in enumerate(row)} for i, row in enumerate(table)}
    measures = {"ndcg_cut.10", "recall.1,10,100", "recip_rank"}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)

    def column(name):
        return np.array([theirs[f"q{i}"][name] for i in range(len(rows))])

    reciprocal = column("recip_rank")
    return {
        "ndcg_at_10": column("ndcg_cut_10"),
        "mrr_at_10": np.where(reciprocal >= 0.1, reciprocal, 0),
        "recall_at_1": column("recall_1"),
        "recall_at_10": column("recall_10"),
        "recall_at_100": column("recall_100"),
    }


@pytest.mark.parametrize("by_document", [False, True])
def test_scores_equal_those_of_trec_eval(by_document):
    generator = torch.Generator().manual_seed(11)
    random = np.random.default_rng(11)
    passages = torch.randn(1200 if by_document else 400, 16, generator=generator)
    questions = torch.randn(80, 16, generator=generator)
    rows = [list(random.choice(400, random.integers(1, 30), replace=False)) for _ in range(80)]
    gains = [list(random.integers(1, 4, len(r)).astype(float)) for r in rows]
    answers = Answers.of(rows, gains)
    table = (unit_rows(questions) @ unit_rows(passages).T).double()
    if by_document:
        documents = random.permutation(np.arange(1200) % 400)
        ranks = best_passage_ranks(questions, passages, documents, answers)
        table = torch.stack(
            [table[:, np.flatnonzero(documents == d)].max(1).values for d in range(400)], 1
        )
    else:
        ranks = ranks_of_answers(questions, passages, answers)
    ours = score_ranks(ranks, answers)
    for name, values in trec_eval(table.tolist(), rows, gains).items():
        np.testing.assert_allclose(getattr(ours, name), values, atol=1e-6, err_msg=name)
