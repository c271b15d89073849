"""Two texts that differ in a number, a date or a negation alone: near to a model, far in meaning.

Such texts are found by what is left of them without numbers, dates and negations: the rest is
equal. That takes no model, and one pass over the texts.
"""

from __future__ import annotations

import re
from typing import Literal

__all__ = ["Difference", "bare", "difference", "only_difference"]

Difference = Literal["number", "date", "negation"]

_MONTHS = (
    "january|february|march|april|may|june|july|august|september|october|november|december|"
    "jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec"
)
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
DATE = re.compile(
    r"\b\d{4}-\d{1,2}-\d{1,2}\b"
    r"|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)? (?:{_MONTHS})\.?(?:,? \d{{4}})?\b"
    rf"|\b(?:{_MONTHS})\.? \d{{1,4}}(?:st|nd|rd|th)?(?:,? \d{{4}})?\b"
    rf"|\b(?:{_DAYS}|january|february|april|june|july|august|september|october|november|december)\b"
    r"|\b(?:yesterday|today|tomorrow)\b"
    r"|\b(?:1[89]|20)\d\d\b"
)
"""English. "may" and "march" alone are no dates: they are verbs as well."""
_WORDS = (
    "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|"
    "fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|billion|half|twice|once"
)
NUMBER = re.compile(rf"[-+]?\d+(?:[.,:]\d+)*|\b(?:{_WORDS})\b")
NEGATION = re.compile(r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot)\b|n't\b")
HELPERS = re.compile(r"\b(?:do|does|did|any|a|an|the|ever)\b")
"""They come and go with a negation: "does not run" is "runs" without it."""
ENDING = re.compile(r"(?<=[a-z]{3})(?:es|s)\b")
CANNOT = re.compile(r"\bcan(?:'t|not)\b|\bwon't\b")
SPACE = re.compile(r"[\s,;]+")
MIN_WORDS = 3
"""Of what is left: two texts that share less are about nothing in particular."""


def bare(text: str) -> str | None:
    """What is left of `text` without numbers, dates and negations; None if it is too little."""
    folded = text.casefold().replace("’", "'")
    left = CANNOT.sub(lambda match: "will not" if match[0] == "won't" else "can not", folded)
    left = NUMBER.sub(" ", DATE.sub(" ", left))
    left = ENDING.sub("", HELPERS.sub(" ", NEGATION.sub(" ", left)))
    words = SPACE.sub(" ", left).strip(" .!?")
    return words if words.count(" ") + 1 >= MIN_WORDS else None


def difference(first: str, second: str) -> Difference | None:
    """In what two texts that are equal when `bare` differ; None if in nothing of the kind.

    A negation counts before a date, and a date before a number.
    """
    one, other = (text.casefold().replace("’", "'") for text in (first, second))
    if bool(NEGATION.search(one)) != bool(NEGATION.search(other)):
        return "negation"
    if DATE.findall(one) != DATE.findall(other):
        return "date"
    if NUMBER.findall(DATE.sub(" ", one)) != NUMBER.findall(DATE.sub(" ", other)):
        return "number"
    return None


def only_difference(first: str, second: str) -> Difference | None:
    """In what the texts differ if in one such thing alone; None for any other two texts."""
    form = bare(first)
    return difference(first, second) if form is not None and form == bare(second) else None
