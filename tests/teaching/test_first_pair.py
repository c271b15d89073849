"""The first pair to ask about, found without a model."""

from __future__ import annotations

from nexus_engine.labels.verdicts import pair_key
from nexus_engine.teaching.first_pair import first_given, first_pair

TEXTS = [
    "the pump needs a new gasket every winter",
    "the lamp in the hall is broken",
    "the gasket of the pump leaks in winter",
    "the hall is closed",
    "the river is high",
]


def test_the_pair_shares_the_rarest_words_and_a_judged_one_is_left_out():
    assert set(first_pair(TEXTS, set())) == {TEXTS[0], TEXTS[2]}
    judged = {pair_key(TEXTS[2], TEXTS[0])}
    assert set(first_pair(TEXTS, judged)) == {TEXTS[1], TEXTS[3]}


def test_texts_without_a_word_in_common_give_no_pair():
    assert first_pair(["pump gasket", "river bank", "hall lamp"], set()) is None
    assert first_pair(["pump gasket", "Pump  gasket"], set()) is None  # one text
    assert first_pair([], set()) is None


def test_without_rare_words_the_largest_shared_part_counts():
    words = ("ab", "cd", "ef", "gh", "ij", "kl", "mn", "op", "qr", "st", "uv", "wx")
    texts = [f"pump valve number {word}" for word in words[:6]]
    texts += [f"pump valve number hall lamp river bank {word}" for word in words[6:]]
    for seed in range(4):
        first, second = first_pair(texts, set(), seed)
        assert ("hall" in first) == ("hall" in second)


def test_of_given_pairs_one_is_taken_that_was_not_judged():
    pairs = [[0, 1], [2, 3]]
    judged = {pair_key(TEXTS[0], TEXTS[1])}
    for seed in range(5):
        assert first_given(TEXTS, pairs, judged, seed) == (TEXTS[2], TEXTS[3])
    assert first_given(TEXTS, pairs, judged | {pair_key(TEXTS[2], TEXTS[3])}) is None
    assert {first_given(TEXTS, pairs, set(), seed) for seed in range(20)} == {
        (TEXTS[0], TEXTS[1]), (TEXTS[2], TEXTS[3]),
    }  # fmt: skip
