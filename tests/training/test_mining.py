"""Hard negatives of an arm, and the examples of a corpus of questions."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from nexus_engine.data.questions.answers import Answers, Ragged
from nexus_engine.model.tokens import TokenStore
from nexus_engine.scoring.corpus import Corpus, PairRows, QuestionCorpus, QuestionRows
from nexus_engine.training.arm.examples import example_rows, known_answers
from nexus_engine.training.arm.mining import HardNegatives

NO_ROWS = np.zeros(0, np.int64)
NO_PAIRS = PairRows(NO_ROWS, NO_ROWS, np.zeros(0, np.float32))
PASSAGES, FIRST_PASSAGE = 30, 5
"""The passages' store rows begin after those of a few other texts."""
QUESTION_ROWS = np.array([40, 41, 42, 41, 43])
"""The second and the fourth question have one text."""


def corpus_of(answers, negatives=(), ranked=None):
    store = TokenStore(lambda texts: [[1] * 2 for _ in texts])
    store.add([[str(i) for i in range(50)]])
    none = QuestionRows(NO_ROWS, Answers.of([]), Ragged.of([]))
    given = Ragged.of(list(negatives) or [[]] * len(answers))
    train = QuestionRows(QUESTION_ROWS[: len(answers)], Answers.of(answers), given)
    places = np.arange(PASSAGES) if ranked is None else np.asarray(ranked)
    rows = np.arange(FIRST_PASSAGE, FIRST_PASSAGE + PASSAGES)
    weak = (NO_ROWS, NO_ROWS)
    return QuestionCorpus(store, train, none, none, NO_PAIRS, NO_ROWS, rows, places, weak)


def settings(count=1, margin=None, seed=1):
    return SimpleNamespace(hard_negatives=count, negative_margin=margin, seed=seed)


def embedder(seed):
    vectors = torch.randn(50, 8, generator=torch.Generator().manual_seed(seed))
    return vectors, lambda rows: vectors[torch.from_numpy(rows)]


def nothing() -> None:
    """Stop nothing."""


def renewed(corpus, seed=0, epoch=1, **changes):
    vectors, embed = embedder(seed)
    negatives = HardNegatives(corpus, settings(**changes))
    negatives.renew(embed, vectors[corpus.passages[corpus.ranked]], epoch, nothing)
    return negatives.rows


def test_examples_are_each_question_with_each_answer():
    corpus = corpus_of([[3, 0], [7], [2]])
    questions, answers = example_rows(corpus)
    assert questions.tolist() == [40, 40, 41, 42]
    assert answers.tolist() == [8, 5, 12, 7]


def test_questions_of_one_text_share_their_known_answers():
    corpus = corpus_of([[3], [7], [2], [9, 1]])
    known = known_answers(corpus)
    assert len(known) == len(corpus.store)
    assert sorted(known.list_at(41).tolist()) == [6, 12, 14]
    assert known.list_at(40).tolist() == [8]
    assert not len(known.list_at(8))


def test_there_are_none_without_questions_or_where_none_are_wanted():
    graded = Corpus(None, NO_PAIRS, NO_PAIRS, NO_PAIRS, NO_PAIRS, NO_ROWS)
    assert HardNegatives.of(graded, settings()) is None
    assert HardNegatives.of(corpus_of([[1]]), settings(count=0)) is None
    assert HardNegatives.of(corpus_of([[1]]), settings()) is not None


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("sampled", [False, True])
def test_no_known_answer_is_ever_mined(seed, sampled):
    random = np.random.default_rng(seed)
    lists = [
        random.choice(PASSAGES, random.integers(1, 20), replace=False).tolist() for _ in range(5)
    ]
    given = [random.choice(PASSAGES, 3, replace=False).tolist() for _ in range(5)]
    ranked = np.sort(random.choice(PASSAGES, 12, replace=False)) if sampled else None
    corpus = corpus_of(lists, given, ranked)
    rows = renewed(corpus, seed, count=3)
    known = known_answers(corpus)
    questions, _ = example_rows(corpus)
    assert rows.shape == (len(questions), 3)
    for question, mined in zip(questions, rows, strict=True):
        real = mined[mined >= 0]
        assert not np.isin(real, known.list_at(question)).any()
        assert np.isin(real, corpus.passages).all()
        assert len(set(real.tolist())) == len(real)
    candidates = set(corpus.passages[corpus.ranked].tolist())
    candidates |= set(corpus.passages[np.unique(np.concatenate([*lists, *given]))].tolist())
    assert set(rows[rows >= 0].tolist()) <= candidates


def test_where_every_passage_is_an_answer_there_is_none():
    rows = renewed(corpus_of([list(range(PASSAGES))]), count=2)
    assert (rows == -1).all()
    one_left = renewed(corpus_of([list(range(PASSAGES - 1))]), count=2)
    assert (one_left == [FIRST_PASSAGE + PASSAGES - 1, -1]).all()


def test_negatives_of_the_data_come_first_and_answers_outside_the_sample_are_candidates():
    # Only three passages are ranked; the others can be mined as they are answers or named.
    corpus = corpus_of([[20], [21], [22]], [[25], [], []], ranked=[0, 1, 2])
    rows = renewed(corpus, count=6)
    assert rows[0, 0] == FIRST_PASSAGE + 25
    assert set((rows[0] - FIRST_PASSAGE).tolist()) == {25, 0, 1, 2, 21, 22}
    assert set((rows[1] - FIRST_PASSAGE).tolist()) == {25, 0, 1, 2, 20, 22}
    negatives = HardNegatives(corpus, settings())
    assert negatives.embedded.tolist() == [40, 41, 42, 25, 26, 27, 30]


def test_the_nearest_other_passages_are_mined_by_the_vectors_of_the_corpus():
    corpus = corpus_of([[4]], ranked=np.arange(2, 30))
    vectors, _ = embedder(3)
    unit = torch.nn.functional.normalize(vectors, dim=1)
    similarities = unit[40] @ unit[corpus.passages[corpus.ranked]].T
    nearest = [corpus.passages[corpus.ranked][i] for i in similarities.argsort(descending=True)]
    nearest.remove(FIRST_PASSAGE + 4)
    limit = float(unit[40] @ unit[FIRST_PASSAGE + 4])
    rows = renewed(corpus, 3, count=16, margin=0.0)
    allowed = [row for row in nearest if float(unit[40] @ unit[row]) < limit]
    assert set(rows[rows >= 0].tolist()) <= set(allowed)
    assert (rows >= 0).sum() == min(16, len(allowed))


def test_each_epoch_draws_others_and_a_repeat_draws_the_same():
    corpus = corpus_of([[1], [2], [3], [4], [5]])
    first, again, later = (renewed(corpus, epoch=epoch) for epoch in (1, 1, 2))
    assert (first == again).all()
    assert (first != later).any()


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_a_stop_leaves_the_former_ones(looks):
    corpus = corpus_of([[1], [2], [3]], ranked=[0, 1])
    vectors, embed = embedder(0)
    negatives = HardNegatives(corpus, settings())
    left = looks

    def check():
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        negatives.renew(embed, vectors[corpus.passages[corpus.ranked]], 1, check)
    assert (negatives.rows == -1).all()


def test_those_of_a_checkpoint_must_fit():
    corpus = corpus_of([[1], [2], [3]])
    negatives = HardNegatives(corpus, settings(count=2))
    stored = torch.tensor([[6, -1], [7, 8], [-1, -1]])
    negatives.load(stored)
    assert torch.equal(negatives.tensor(), stored)
    for wrong in (
        stored[:2],
        stored.float(),
        torch.full((3, 2), len(corpus.store)),
        torch.full((3, 2), -2),
    ):
        with pytest.raises(ValueError, match="hard negative"):
            negatives.load(wrong)
    assert torch.equal(negatives.tensor(), stored)
