"""What the pair queue asks: each pair once, near and far, spread, and with what differs."""

import numpy as np
import pytest
from word_models import WordModel

from nexus_engine.labels.verdicts import pair_key
from nexus_engine.teaching import pair_sources
from nexus_engine.teaching.pair_queue import ALIKE_EVERY, PairQueue
from nexus_engine.teaching.texts import judgeable_texts

WORDS = ["pump", "valve", "motor", "filter", "sensor", "cable", "panel", "gauge", "belt", "tank"]


def texts(count: int = 120, seed: int = 0) -> list[str]:
    random = np.random.default_rng(seed)
    made = [f"the {' '.join(random.choice(WORDS, 4))} needs service" for _ in range(count)]
    return judgeable_texts(made)


def every(queue: PairQueue, most: int = 10_000) -> list:
    asked = []
    while len(asked) < most:
        candidate = queue.next()
        if candidate is None:
            break
        asked.append(candidate)
    return asked


def test_each_pair_is_asked_once_and_none_that_was_judged():
    model = WordModel()
    everything = every(PairQueue(texts(), model, model, set(), 1))
    keys = [pair_key(each.a, each.b) for each in everything]
    assert len(keys) == len(set(keys)) > 100
    judged = set(keys[::2])
    queue = PairQueue(texts(), model, model, judged, 1)
    queue.judged(keys[1])
    again = {pair_key(each.a, each.b) for each in every(queue)}
    assert again
    assert not again & (judged | {keys[1]})


def test_pairs_stand_at_several_levels_of_similarity():
    model = WordModel()
    cosines = [each.cosine for each in every(PairQueue(texts(), model, model, set(), 1), 60)]
    counts, _ = np.histogram(cosines, [0.2, 0.4, 0.6, 0.8, 1.01])
    assert (counts >= 3).all()


def test_what_differs_in_a_number_a_date_or_a_negation_is_asked_in_its_turn():
    alike = [
        "set the oil pressure to 5 bar",
        "set the oil pressure to 50 bar",
        "the alarm did not go off",
        "the alarm did go off",
        "the visit is on 2024-01-02 here",
        "the visit is on 2024-02-01 here",
    ]
    model = WordModel()
    asked = every(PairQueue([*texts(40), *alike], model, model, set(), 1), 4 * ALIKE_EVERY)
    reasons = {each.reason for each in asked if each.reason.startswith("they differ")}
    assert reasons == {f"they differ in a {what}" for what in ("number", "negation", "date")}
    assert asked[ALIKE_EVERY - 1].reason.startswith("they differ")
    assert not asked[0].reason.startswith("they differ")


def test_no_template_fills_the_questions(monkeypatch):
    model = WordModel()
    orders = [f"order {number} has left the house" for number in range(300)]
    asked = every(PairQueue([*texts(60), *orders], model, model, set(), 1), 80)
    differing = [each for each in asked if each.reason == "they differ in a number"]
    assert 1 <= len(differing) <= pair_sources.MAX_OF_ONE_FORM


def test_pairs_of_a_file_are_asked_as_they_are():
    sentences = texts(50)
    pairs = np.asarray([[place, place + 1] for place in range(0, 48, 2)])
    model = WordModel()
    asked = every(PairQueue(sentences, model, model, set(), 1, pairs=pairs))
    given = {pair_key(sentences[a], sentences[b]) for a, b in pairs.tolist()}
    assert {pair_key(each.a, each.b) for each in asked} == given


def test_the_first_question_needs_a_sample_alone_and_the_rest_follows_in_steps():
    model = WordModel()
    many = [f"{text} at place {'abcdefghij'[n % 10]}{n}x" for n, text in enumerate(texts(350) * 2)]
    queue = PairQueue(many, model, model, set(), 1)
    assert queue.next() is not None
    first = len(model.embedded)
    assert first < 3 * pair_sources.FIRST_TEXTS
    assert not queue.is_complete
    before = first
    while queue.advance():
        assert len(model.embedded) - before < 3 * pair_sources.TEXTS_PER_STEP
        before = len(model.embedded)
    assert queue.is_complete
    assert len(model.embedded) == len(many)
    assert not queue.advance()


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(pair_sources, "MAX_EMBEDDED", 200)
    monkeypatch.setattr("nexus_engine.teaching.pair_queue.MAX_POOL", 150)
    model = WordModel()
    queue = PairQueue(texts(800), model, model, set(), 1)
    while queue.advance():
        assert len(queue._places) <= 150
    assert len(model.embedded) <= 200 + pair_sources.MAX_ALIKE
    assert queue.next() is not None


def test_two_models_give_two_cosines_and_disagreement_is_said():
    base, tuned = WordModel(), WordModel(twist=0.4)
    sentences = [*texts(60), *(f"{text} {'very ' * 12}soon" for text in texts(20, seed=3))]
    asked = every(PairQueue(sentences, tuned, base, set(), 1), 60)
    assert any(each.cosine != each.base_cosine for each in asked)
    for each in asked:
        apart = abs(each.cosine - each.base_cosine) >= 0.15
        assert (each.reason == "base and tuned model disagree") == (
            apart and not each.reason.startswith("they differ")
        )
    assert any(each.reason == "base and tuned model disagree" for each in asked)


def test_a_seed_asks_the_same_again_and_another_seed_something_else():
    model = WordModel()
    first, again, other = (
        [(c.a, c.b) for c in every(PairQueue(texts(), model, model, set(), seed), 20)]
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("few", [[], ["only one text here"]])
def test_too_few_texts_ask_nothing(few):
    model = WordModel()
    assert PairQueue(few, model, model, set(), 1).next() is None


def test_a_stop_leaves_the_queue_usable():
    class StopError(Exception):
        pass

    def stop() -> None:
        raise StopError

    model = WordModel()
    queue = PairQueue(texts(), model, model, set(), 1)
    with pytest.raises(StopError):
        queue.next(stop)
    assert queue.next() is not None


def test_no_text_in_a_repr():
    model = WordModel()
    candidate = PairQueue(texts(), model, model, set(), 1).next()
    assert "service" not in repr(candidate)


def test_long_texts_are_asked_by_their_sentences():
    page = (
        "# Pumps\n\nThe pump moves the oil to the tank. A filter keeps the dirt out of the oil! "
        "Why does the motor stop?\n\n- Replace the belt once a year.\n" + "word " * 50 + "\n"
        "| a | table | row |\n\nThe Pump moves  the oil to the tank.\n42\n"
    )
    assert judgeable_texts([page, "A short text", "a  short text", "17"]) == [
        "The pump moves the oil to the tank.",
        "A filter keeps the dirt out of the oil!",
        "Why does the motor stop?",
        "Replace the belt once a year.",
        "A short text",
    ]
    assert len(judgeable_texts([page], most=2)) == 2
