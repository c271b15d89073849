"""What the question queue asks, and the passages that it shows."""

import numpy as np
import pytest
from word_models import WordModel

from nexus_engine.labels.verdicts import search_key
from nexus_engine.scoring.search_texts import Documents, SearchTexts
from nexus_engine.teaching.headings import heading_questions
from nexus_engine.teaching.question_queue import SHOWN, QuestionQueue

THINGS = [
    "pump",
    "valve",
    "motor",
    "filter",
    "sensor",
    "cable",
    "panel",
    "gauge",
    "belt",
    "tank",
    "lamp",
    "hose",
]
DOINGS = ["clean", "replace", "open", "close", "test", "order", "paint", "move"]


def corpus(documents: bool = False) -> SearchTexts:
    sentences = [
        f"to {doing} a {thing} read page {thing}{doing} of the book"
        for thing in THINGS
        for doing in DOINGS
    ]
    lines = list(range(1, len(sentences) + 1))
    of = Documents.of(
        [f"{thing}.md" for thing in THINGS for _ in DOINGS],
        [f"{thing} manual > how to {doing}" for thing in THINGS for doing in DOINGS],
    )
    return SearchTexts(
        "manuals",
        sentences,
        lines,
        [1] * len(lines),
        "passage",
        of if documents else None,
    )


def questions() -> list[str]:
    return [f"how do I {doing} the {thing}" for thing in THINGS for doing in DOINGS[:3]]


def test_a_question_comes_with_its_ten_nearest_passages_in_order():
    model = WordModel()
    queue = QuestionQueue(questions(), corpus(documents=True), model, model, set(), 1)
    while queue.advance():
        pass
    candidate = queue.next()
    assert candidate.question in questions()
    assert len(candidate.passages) == SHOWN
    scores = [each.score for each in candidate.passages]
    assert scores == sorted(scores, reverse=True)
    every = corpus().sentences
    vectors = model.embed([candidate.question, *every]).numpy()
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    exact = np.argsort(-(vectors[1:] @ vectors[0]), kind="stable")[:SHOWN]
    assert {each.text for each in candidate.passages} == {every[i] for i in exact.tolist()}
    first = candidate.passages[0]
    assert every[first.place] == first.text
    assert first.document.removesuffix(".md") in first.heading


def test_the_first_question_finds_its_answer_before_all_passages_are_embedded():
    model = WordModel()
    noise = [f"{'abcde'[n % 5]} unrelated remark number x{n}" for n in range(3000)]
    texts = [*noise, *corpus().sentences]
    whole = SearchTexts("notes", texts, range(1, len(texts) + 1), [1] * len(texts))
    queue = QuestionQueue(questions(), whole, model, model, set(), 1)
    candidate = queue.next()
    assert len(model.embedded) < 400
    assert not queue.is_complete
    thing, doing = candidate.question.split()[-1], candidate.question.split()[3]
    assert any(thing in each.text and doing in each.text for each in candidate.passages)


def test_each_question_is_asked_once_and_none_whose_first_passage_was_judged():
    model = WordModel()
    queue = QuestionQueue(questions(), corpus(), model, model, set(), 1)
    asked = list(iter(queue.next, None))
    assert sorted(each.question for each in asked) == sorted(questions())
    judged = {search_key(each.question, each.passages[0].text) for each in asked[::2]}
    again = QuestionQueue(questions(), corpus(), model, model, judged, 1)
    while again.advance():
        pass
    kept = {each.question for each in iter(again.next, None)}
    assert kept == {each.question for each in asked[1::2]}


def test_known_verdicts_are_shown_and_follow_what_is_judged():
    model = WordModel()
    queue = QuestionQueue(questions(), corpus(), model, model, set(), 1)
    candidate = queue.next()
    first, second = (search_key(candidate.question, p.text) for p in candidate.passages[:2])
    queue.judged(first, True)
    queue.judged(second, False)
    assert [p.known for p in queue.ask(candidate.question).passages[:3]] == [True, False, None]
    queue.judged(first)
    assert queue.ask(candidate.question).passages[0].known is None


def test_typical_questions_of_different_topics_come_first():
    model = WordModel()
    queue = QuestionQueue(questions(), corpus(), model, model, set(), 1, rule="typical")
    while queue.advance():
        pass
    things = {queue.next().question.split()[-1] for _ in range(8)}
    assert len(things) >= 5


def test_no_question_or_no_passage_asks_nothing():
    model = WordModel()
    assert QuestionQueue([], corpus(), model, model, set(), 1).next() is None
    empty = SearchTexts("none", [], [], [])
    assert QuestionQueue(questions(), empty, model, model, set(), 1).next() is None


@pytest.mark.parametrize("rule", ["disagree", "unsure", "mixed", "random"])
def test_two_models_choose_by_any_rule(rule):
    base, tuned = WordModel(), WordModel(twist=0.3)
    queue = QuestionQueue(questions(), corpus(), tuned, base, set(), 1, rule=rule)
    while queue.advance():
        pass
    assert len({queue.next().question for _ in range(12)}) == 12


def test_headings_ask_unless_they_stand_above_many_passages():
    texts = [f"The belt runs on wheel {n} of the motor and more." for n in range(24)]
    headings = ["Care > Belts"] * 3 + ["Overview"] * 12 + ["", "42"] + ["Care > Oil"] * 7
    names = ["care.md"] * 15 + ["how_to_start.txt", "b.txt"] + ["oil.md"] * 7
    made = SearchTexts(
        "manuals", texts, range(24), [1] * 24, "passage", Documents.of(names, headings)
    )
    assert heading_questions(made) == ["Care: Belts", "how to start", "Care: Oil"]
    assert heading_questions(corpus()) == []


def test_no_text_in_a_repr():
    model = WordModel()
    candidate = QuestionQueue(questions(), corpus(), model, model, set(), 1).next()
    assert "pump" not in repr(candidate)
    assert candidate.passages[0].text not in repr(candidate)
