"""Judges: Spearman and nDCG@10 as by hand, whatever the order of the work, with progress."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nexus_engine.data.questions.answers import Answers, Ragged
from nexus_engine.events import Evaluating
from nexus_engine.model.tokens import TokenStore
from nexus_engine.scoring import judging
from nexus_engine.scoring.corpus import Corpus, PairRows, QuestionCorpus, QuestionRows
from nexus_engine.scoring.correlation import bootstrap_gain
from nexus_engine.scoring.judging import PairJudge, QuestionJudge, judge_of, run_through
from nexus_engine.scoring.ranking import bootstrap_mean_gain
from nexus_engine.training.arm import judging as events_of_judging
from nexus_engine.training.arm.judging import judged

NO_ROWS = np.zeros(0, np.int64)
NO_WEAK = (NO_ROWS, NO_ROWS)
NO_PAIRS = PairRows(NO_ROWS, NO_ROWS, np.zeros(0, np.float32))


def store_of(lengths):
    """A store with a text of each length in tokens."""
    store = TokenStore(lambda texts: [[1] * int(text.split("-")[1]) for text in texts])
    store.add([[f"{i}-{length}" for i, length in enumerate(lengths)]])
    return store


def question_rows(rows, answers):
    return QuestionRows(np.asarray(rows), answers, Ragged.of([[]] * len(answers)))


def at(*cosines):
    """Unit vectors whose products with (1, 0) are these cosines, (n, 2)."""
    return [[c, math.sqrt(1 - c * c)] for c in cosines]


@pytest.fixture
def corpus():
    """Four passages, long before short, and two questions in dev, one in test."""
    store = store_of([9, 3, 7, 5, 2, 2, 2])
    dev = question_rows([4, 5], Answers.of([[0, 2], [1]]))
    test = question_rows([6], Answers.of([[3]]))
    none = question_rows([], Answers.of([]))
    return QuestionCorpus(
        store, none, dev, test, NO_PAIRS, NO_ROWS, np.array([0, 1, 2, 3]), np.arange(4), NO_WEAK
    )


VECTORS = torch.tensor([*at(0.9, 0.8, 0.7, 0.1), [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
"""Passages rank 0, 1, 2, 3 for the questions 4 and 5, and 3, 2, 1, 0 for question 6."""


def embed(rows):
    return VECTORS[torch.from_numpy(rows)]


@pytest.mark.parametrize("part", [1, 2, 256])
def test_questions_are_judged_as_by_hand(corpus, monkeypatch, part):
    monkeypatch.setattr(judging, "PASSAGES_PER_PART", part)
    judge = QuestionJudge(corpus)
    result = run_through(judge.judge(embed, "dev", lambda: None))
    # Question 4 finds its answers at 1 and 3 of two that could stand at 1 and 2; question 5 at 2.
    first = (1 + 1 / math.log2(4)) / (1 + 1 / math.log2(3))
    second = 1 / math.log2(3)
    assert result.values.tolist() == pytest.approx([first, second])
    assert result.score == pytest.approx((first + second) / 2)
    assert result.details == pytest.approx(
        {"mrr_at_10": 0.75, "recall_at_1": 0.25, "recall_at_10": 1.0, "recall_at_100": 1.0}
    )
    assert run_through(judge.judge(embed, "test", lambda: None)).score == 1.0
    # In corpus order, though they were embedded by length.
    assert torch.equal(judge.passages, VECTORS[:4])
    assert torch.equal(judge.questions, VECTORS[6:])


def test_progress_counts_every_text_once(corpus, monkeypatch):
    monkeypatch.setattr(judging, "PASSAGES_PER_PART", 3)
    seen = []
    reports = []
    judging_of = QuestionJudge(corpus).judge(
        lambda rows: (seen.extend(rows.tolist()), embed(rows))[1], "dev", lambda: None
    )
    for done, total in judging_of:
        reports.append((done, total))
        assert len(seen) == done
    assert reports == [(3, 6), (4, 6), (6, 6)]
    assert sorted(seen) == [0, 1, 2, 3, 4, 5]


def test_progress_becomes_events_but_not_more_often_than_it_may(corpus, monkeypatch):
    monkeypatch.setattr(judging, "PASSAGES_PER_PART", 2)
    for seconds, expected in ((0.0, [2, 4, 6]), (60.0, [])):
        monkeypatch.setattr(events_of_judging, "PROGRESS_SECONDS", seconds)
        events, result = [], None

        def collect():
            nonlocal result
            judge = QuestionJudge(corpus)
            result = yield from judged(judge.judge(embed, "dev", lambda: None), "dev", 2, "x")

        events = list(collect())
        assert all(isinstance(event, Evaluating) for event in events)
        assert [event.done for event in events] == expected
        assert {(e.total, e.epoch, e.split, e.arm) for e in events} <= {(6, 2, "dev", "x")}
        assert result.score > 0.5


def test_a_judgement_can_be_stopped_before_any_batch(corpus):
    looks_left = 99

    def check():
        nonlocal looks_left
        looks_left -= 1
        if not looks_left:
            raise KeyboardInterrupt

    run_through(QuestionJudge(corpus).judge(embed, "dev", check))
    assert looks_left == 99 - 3  # the passages, the questions, their ranks
    for look in (1, 2, 3):
        looks_left = look
        with pytest.raises(KeyboardInterrupt):
            run_through(QuestionJudge(corpus).judge(embed, "dev", check))


def test_pairs_are_judged_as_by_hand():
    store = store_of([2] * 8)
    pairs = PairRows(np.arange(4), np.arange(4, 8), np.array([0.0, 0.5, 0.75, 1.0], np.float32))
    corpus = Corpus(store, NO_PAIRS, pairs, pairs, NO_PAIRS, NO_ROWS)
    cosines = [0.1, 0.4, 0.9, 0.8]
    vectors = torch.tensor([*[[1.0, 0.0]] * 4, *at(*cosines)])
    judge = judge_of(corpus)
    assert isinstance(judge, PairJudge)
    result = run_through(judge.judge(lambda rows: vectors[torch.from_numpy(rows)], "dev", id_check))
    # Two neighbours are exchanged: 1 - 6 (1 + 1) / (4 (16 - 1)).
    assert result.score == pytest.approx(0.8)
    assert result.values.tolist() == pytest.approx(cosines)
    pearson = float(np.corrcoef(cosines, pairs.scores)[0, 1])
    assert result.details == pytest.approx({"pearson": pearson})
    assert judge.passages is None


def id_check() -> None:
    """Stop nothing."""


def test_a_gain_is_over_pairs_or_over_questions(corpus):
    random = np.random.default_rng(0)
    ours, theirs = random.random(40), random.random(40)
    scores = random.random(40).astype(np.float32)
    pairs = PairRows(np.arange(40), np.arange(40), scores)
    graded = judge_of(Corpus(None, NO_PAIRS, pairs, NO_PAIRS, NO_PAIRS, NO_ROWS))
    assert graded.gain(ours, theirs) == bootstrap_gain(ours, theirs, scores)
    gain = judge_of(corpus).gain(ours, theirs)
    assert gain == bootstrap_mean_gain(ours, theirs)
    assert gain.value == pytest.approx(ours.mean() - theirs.mean())
    assert gain.low < gain.value < gain.high


@pytest.mark.parametrize("seed", range(5))
def test_a_sample_of_the_corpus_ranks_the_same_answers_among_fewer_passages(seed):
    random = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    passages, questions = 60, 20
    vectors = torch.randn(passages + questions, 8, generator=generator)
    store = store_of(random.integers(1, 30, passages + questions))
    answers = [sorted(random.choice(passages, 2, replace=False).tolist()) for _ in range(questions)]
    dev, test = answers[:10], answers[10:]
    train = question_rows([], Answers.of([]))
    corpus = QuestionCorpus(
        store,
        train,
        question_rows(np.arange(60, 70), Answers.of(dev)),
        question_rows(np.arange(70, 80), Answers.of(test)),
        NO_PAIRS,
        NO_ROWS,
        np.arange(passages),
        np.arange(passages),
        NO_WEAK,
    )
    sample = corpus.sampled(45, seed)
    assert len(sample.ranked) == 45
    assert (np.diff(sample.ranked) > 0).all()
    assert {place for each in answers for place in each} <= set(sample.ranked.tolist())
    assert "45 of 60 passages" in sample.sample_note
    assert corpus.sampled(60, seed).sample_note == ""

    def embed_random(rows):
        return vectors[torch.from_numpy(rows)]

    judge = QuestionJudge(sample)
    result = run_through(judge.judge(embed_random, "dev", id_check))
    unit = torch.nn.functional.normalize(vectors, dim=1)
    for number, own in enumerate(dev):
        order = (unit[60 + number] @ unit[sample.ranked].T).argsort(descending=True)
        ranks = [order.tolist().index(sample.ranked.tolist().index(place)) + 1 for place in own]
        gained = sum(1 / math.log2(rank + 1) for rank in ranks if rank <= 10)
        assert result.values[number] == pytest.approx(gained / (1 + 1 / math.log2(3)))
    among_all = run_through(QuestionJudge(corpus).judge(embed_random, "dev", id_check))
    assert result.score > among_all.score
