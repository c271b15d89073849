"""Texts that differ in a number, a date or a negation alone."""

import pytest

from nexus_engine.teaching.differences import bare, difference, only_difference

ALIKE = [
    ("The dose is 5 mg a day.", "The dose is 50 mg a day.", "number"),
    ("He paid three hundred dollars for it", "He paid two thousand dollars for it", "number"),
    ("It costs 1,200.50 in the shop", "It costs 1,300 in the shop", "number"),
    ("The order left on 2024-05-01.", "The order left on 2023-05-01.", "date"),
    ("We meet on 3 May 2024 in Rome", "We meet on 12 June 2021 in Rome", "date"),
    ("The shop opens on Monday at noon", "The shop opens on Friday at noon", "date"),
    ("It was built in 1999 by hand", "It was built in 2004 by hand", "date"),
    ("The server is running now", "The server is not running now", "negation"),
    ("The server responds to pings", "The server doesn't respond to pings", "negation"),
    ("You can open the old file", "You cannot open the old file", "negation"),
    ("You can open the old file", "You can’t open the old file", "negation"),
]
APART = [
    ("The dose is 5 mg a day.", "The dose is high in the morning."),
    ("A cat sleeps on the sofa", "A dog sleeps on the sofa"),
]


@pytest.mark.parametrize(("first", "second", "what"), ALIKE)
def test_equal_but_for_one_thing(first, second, what):
    assert bare(first) is not None
    assert bare(first) == bare(second)
    assert difference(first, second) == difference(second, first) == what
    assert only_difference(first, second) == what


@pytest.mark.parametrize(("first", "second"), APART)
def test_texts_that_differ_in_other_words_have_another_form(first, second):
    assert bare(first) != bare(second)
    assert only_difference(first, second) is None


def test_too_little_is_left_of_a_text_of_numbers():
    assert bare("12 of 14") is None
    assert bare("Not 5!") is None


def test_texts_that_differ_in_spelling_alone_differ_in_nothing():
    assert difference("The dose is 5 mg", "the  dose is 5 mg") is None
    assert bare("The dose is 5 mg now") == bare("the  dose is 5 mg now.")


def test_verbs_that_look_like_months_are_no_dates():
    assert difference("They may march on the town", "They may march on the town ") is None
    assert "march" in (bare("They may march on the town") or "")
