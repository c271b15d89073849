"""Which verdicts a model gets right, before and after."""

from __future__ import annotations

import torch

from nexus_engine.labels.combining import JudgedPair, JudgedPassage
from nexus_engine.labels.verdicts import pair_key
from nexus_engine.scoring.querying import ModelPair
from nexus_engine.scoring.search_texts import SearchTexts
from nexus_engine.scoring.searching import SearchIndex
from nexus_engine.teaching.changes import Turned, pair_changes, passage_changes
from nexus_engine.teaching.retrained import question_changes


class Angles:
    """An embedder that turns each text by so many degrees; cosines are those of differences."""

    max_tokens = 32

    def __init__(self, **degrees: float) -> None:
        self.degrees = degrees

    def embed(
        self,
        sentences,
        progress=None,
        check=None,
        *,
        remember=True,
        cut=lambda _: None,
        role="query",
    ):
        turned = torch.deg2rad(torch.tensor([self.degrees[text] for text in sentences]))
        cut(0)
        return torch.stack([turned.cos(), turned.sin()], 1)


def index_of(*texts: str) -> SearchIndex:
    count = len(texts)
    return SearchIndex(SearchTexts("t", texts, range(1, count + 1), [1] * count, "passage"))


def mark(passage: str, relevant: bool, part="train", question="q") -> JudgedPassage:
    return JudgedPassage(question, passage, "", relevant, part)


def test_a_pair_is_right_within_a_grade_of_the_verdict():
    pairs = [
        JudgedPair("a", "b", 5.0, "train"),
        JudgedPair("a", "c", 2.0, "test"),
        JudgedPair("b", "c", 0.0, "train"),
    ]
    # Cosines times 5: before 4.7, 3.2 and 4.3; after 3.2, 2.5 and 4.9.
    models = ModelPair(Angles(a=0, b=20, c=50), Angles(a=0, b=50, c=60))
    graded = {pair_key(pair.a, pair.b) for pair in pairs}
    changes = pair_changes(pairs, graded, models)
    rights = [(change.right_before, change.right_after) for change in changes]
    assert rights == [(True, False), (False, True), (False, False)]
    assert [change.is_held_out for change in changes] == [False, True, False]
    turned = Turned.of(changes)
    assert [len(group) for group in turned] == [1, 1, 1, 0]


def test_without_a_grade_the_side_of_the_answer_decides():
    pairs = [JudgedPair("a", "b", 5.0, "train"), JudgedPair("a", "c", 0.0, "train")]
    models = ModelPair(Angles(a=0, b=50, c=80), Angles(a=0, b=70, c=40))
    changes = pair_changes(pairs, set(), models)
    rights = [(change.right_before, change.right_after) for change in changes]
    assert rights == [(True, False), (True, False)]


def test_a_passage_is_right_where_answers_rank_above_what_is_none():
    # Before: wrong, answer, other. After: answer, other, wrong.
    before = Angles(q=0, answer=20, wrong=10, other=30)
    after = Angles(q=0, answer=5, wrong=40, other=30)
    passages = [mark("answer", True), mark("wrong", False)]
    index = index_of("other", "wrong", "answer")
    changes = passage_changes(passages, ModelPair(before, after), index)
    assert [(change.before, change.after) for change in changes] == [(2, 1), (1, 3)]
    assert [change.right_before for change in changes] == [False, False]
    assert [change.right_after for change in changes] == [True, True]
    (question,) = question_changes(changes)
    assert (question.before, question.after, question.part) == (2, 1, "train")
    assert "answer" not in repr(question)


def test_a_question_with_one_kind_of_mark_asks_for_the_first_places():
    models = ModelPair(
        Angles(q=0, r=90, answer=10, wrong=91, other=20),
        Angles(q=0, r=90, answer=30, wrong=99, other=95),
    )
    passages = [mark("answer", True), mark("wrong", False, question="r")]
    changes = passage_changes(passages, models, index_of("other", "wrong", "answer"))
    assert [(change.before, change.after) for change in changes] == [(1, 1), (1, 2)]
    assert [(c.right_before, c.right_after) for c in changes] == [(True, True), (False, True)]


def test_a_passage_outside_the_documents_is_ranked_among_them():
    models = ModelPair(
        Angles(q=0, edited=20, far=50, near=10), Angles(q=0, edited=5, far=50, near=10)
    )
    (change,) = passage_changes([mark("edited", True)], models, index_of("far", "near"))
    assert (change.before, change.after) == (2, 1)
