"""From the verdicts of all raters to one label for each pair and each passage.

- A verdict that settles a disagreement counts alone.
- Of several grades the median counts; where a pair has a grade, yes and no on it do not count.
- Of yes and no the majority counts: 5 and 0 on the scale of the grades. A tie is left out.
- Unsure and skipped say nothing.
- A pair to train on that shares a sentence with a held-out pair is left out: files that were
  merged may disagree on the part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

from nexus_engine.labels.verdicts import (
    GRADES,
    PairVerdict,
    Part,
    SearchVerdict,
    Verdict,
    is_answered,
    key_of,
    text_key,
)

__all__ = ["Combined", "JudgedPair", "JudgedPassage", "LeftOut", "combined"]

HIGHEST = float(GRADES[-1])


class JudgedPair(NamedTuple):
    """A pair with its `score`, 0 to 5."""

    a: str
    b: str
    score: float
    part: Part

    def __repr__(self) -> str:
        return f"JudgedPair(score={self.score!r}, part={self.part!r})"


class JudgedPassage(NamedTuple):
    """A passage that answers a question or, if not `relevant`, does not."""

    question: str
    passage: str
    document: str
    """"" where it is not known."""
    relevant: bool
    part: Part

    def __repr__(self) -> str:
        return f"JudgedPassage(relevant={self.relevant!r}, part={self.part!r})"


class LeftOut(NamedTuple):
    """Pairs and passages that got no label, by why."""

    unsure: int = 0
    skipped: int = 0
    tied: int = 0
    """As many raters say yes as no."""
    parted: int = 0
    """Pairs of which a sentence is held out in another pair."""

    def lines(self) -> list[str]:
        """A line for each reason that occurs."""
        reasons = {
            "unsure": self.unsure,
            "skipped": self.skipped,
            "as many raters for it as against": self.tied,
            "its sentences lie in two parts": self.parted,
        }
        return [f"{count:,} left out: {reason}" for reason, count in reasons.items() if count]


class Combined(NamedTuple):
    """One label for each pair and passage, in the order in which they were first judged."""

    pairs: tuple[JudgedPair, ...]
    passages: tuple[JudgedPassage, ...]
    pairs_left_out: LeftOut
    passages_left_out: LeftOut


def combined(verdicts: Iterable[Verdict]) -> Combined:
    """Combine verdicts that stand; each rater has at most one on an item."""
    items: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        items.setdefault(key_of(verdict), []).append(verdict)
    pairs: list[JudgedPair] = []
    passages: list[JudgedPassage] = []
    pairs_out, passages_out = dict.fromkeys(LeftOut._fields, 0), dict.fromkeys(LeftOut._fields, 0)
    for given in items.values():
        first = given[0]
        counted = deciding(given)
        out = pairs_out if isinstance(first, PairVerdict) else passages_out
        if not counted:
            unsure = any(verdict.answer == "unsure" for verdict in given)
            out["unsure" if unsure else "skipped"] += 1
        elif isinstance(first, PairVerdict):
            score = _score([each for each in counted if isinstance(each, PairVerdict)])
            if score is None:
                out["tied"] += 1
            else:
                pairs.append(JudgedPair(first.a, first.b, score, _common_part(given)))
        else:
            marks = [each.relevant for each in counted if isinstance(each, SearchVerdict)]
            yes = marks.count(True)
            if 2 * yes == len(marks):
                out["tied"] += 1
            else:
                document = first.document or ""
                relevant = 2 * yes > len(marks)
                passages.append(
                    JudgedPassage(first.question, first.passage, document, relevant, first.part)
                )
    kept = _without_leaks(pairs)
    pairs_out["parted"] = len(pairs) - len(kept)
    return Combined(tuple(kept), tuple(passages), LeftOut(**pairs_out), LeftOut(**passages_out))


def deciding(given: Sequence[Verdict]) -> list[Verdict]:
    """Those of the verdicts on one item that count: settled ones alone, if there are any."""
    answered = [verdict for verdict in given if is_answered(verdict)]
    return [verdict for verdict in answered if verdict.settled] or answered


def _score(given: Sequence[PairVerdict]) -> float | None:
    grades = [verdict.grade for verdict in given if verdict.grade is not None]
    if grades:
        return float(median(grades))
    yes = sum(bool(verdict.same) for verdict in given)
    return None if 2 * yes == len(given) else HIGHEST if 2 * yes > len(given) else 0.0


def _common_part(given: Sequence[Verdict]) -> Part:
    parts = {verdict.part for verdict in given}
    return parts.pop() if len(parts) == 1 else "unused"


def _without_leaks(pairs: Sequence[JudgedPair]) -> list[JudgedPair]:
    held_out = {
        text_key(text)
        for pair in pairs
        if pair.part in ("dev", "test")
        for text in (pair.a, pair.b)
    }
    return [
        pair
        for pair in pairs
        if pair.part in ("dev", "test")
        or (pair.part == "train" and not held_out & {text_key(pair.a), text_key(pair.b)})
    ]
