"""What a retrain changed: the verdicts that the new model gets right, and those it gets wrong.

A pair is right where its cosine, read on the scale of the grades (5 times the cosine, between 0 and
5), lies within one grade of the verdict; without a grade, where it lies on the side of the answer:
above the middle of the scale for the same meaning. The distance decides and no rank, since a rank
would change with every pair that somebody else judges, and the rater sees the one score.

A passage that answers is right where it ranks above every passage that was marked as no answer of
its question, and a passage that does not where it ranks below every marked answer. Where a question
has one kind alone, its answers should be the nearest passages, and what is no answer should not be
the nearest. Passages that nobody marked decide nothing; the rank counts them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F

from nexus_engine.labels.combining import JudgedPair, JudgedPassage, combined
from nexus_engine.labels.verdicts import GRADES, PairVerdict, Verdict, key_of, pair_key
from nexus_engine.same_text import folded
from nexus_engine.scoring.querying import Check, Embedder, ModelPair, Progress
from nexus_engine.scoring.searching import SearchIndex

__all__ = ["WITHIN_GRADES", "Change", "Turned", "pair_changes", "passage_changes", "what_changed"]

HIGHEST = GRADES[-1]
MIDDLE = HIGHEST / 2
WITHIN_GRADES = 1.0
"""A score this near to the grade is right: raters of one pair differ by as much."""


class Change(NamedTuple):
    """A judged pair or passage by the model before and by the one after.

    `before` and `after` are the pair's cosine, -1..1, or the rank of the passage, from 1.
    """

    judged: JudgedPair | JudgedPassage
    before: float
    after: float
    right_before: bool
    right_after: bool

    @property
    def is_held_out(self) -> bool:
        """Whether nothing was trained on it."""
        return self.judged.part != "train"


class Turned(NamedTuple):
    """Changes by how they turned out, each in the order in which they were judged."""

    right: list[Change]
    """Wrong before, right now."""
    wrong: list[Change]
    """Right before, wrong now."""
    still_wrong: list[Change]
    still_right: list[Change]

    @classmethod
    def of(cls, changes: Iterable[Change]) -> Turned:
        """Sort `changes`."""
        turned = cls([], [], [], [])
        for change in changes:
            if change.right_after:
                (turned.still_right if change.right_before else turned.right).append(change)
            else:
                (turned.wrong if change.right_before else turned.still_wrong).append(change)
        return turned


def what_changed(
    verdicts: Sequence[Verdict],
    models: ModelPair,
    index: SearchIndex,
    progress: Progress = lambda _: None,
    check: Check = lambda: None,
) -> list[Change]:
    """Every judged pair and passage by `models.base`, the model before, and `models.tuned`.

    `verdicts` are those that stand; those of several raters on one item are combined. Passages are
    ranked among the texts of `index`, which is embedded first if the models are new to it. `check`
    is called often and may raise to stop.
    """
    both = combined(verdicts)
    graded = {
        key_of(verdict)
        for verdict in verdicts
        if isinstance(verdict, PairVerdict) and verdict.grade is not None
    }
    return [
        *pair_changes(both.pairs, graded, models, check),
        *passage_changes(both.passages, models, index, progress, check),
    ]


def pair_changes(
    pairs: Sequence[JudgedPair],
    graded: set[str],
    models: ModelPair,
    check: Check = lambda: None,
) -> list[Change]:
    """Of each judged pair; `graded` has the keys of those with a grade."""
    assert models.tuned is not None
    cosines = [_cosines(embedder, pairs, check) for embedder in (models.base, models.tuned)]

    def is_right(pair: JudgedPair, cosine: float) -> bool:
        grade = min(max(HIGHEST * cosine, 0.0), HIGHEST)
        if pair_key(pair.a, pair.b) in graded:
            return abs(grade - pair.score) <= WITHIN_GRADES
        return (grade > MIDDLE) == (pair.score > MIDDLE)

    return [
        Change(pair, before, after, is_right(pair, before), is_right(pair, after))
        for pair, before, after in zip(pairs, *cosines, strict=True)
    ]


def passage_changes(
    passages: Sequence[JudgedPassage],
    models: ModelPair,
    index: SearchIndex,
    progress: Progress = lambda _: None,
    check: Check = lambda: None,
) -> list[Change]:
    """Of each judged passage, ranked for its question among the texts of `index`."""
    assert models.tuned is not None
    if not passages:
        return []
    index.embed(models, progress, check)
    places = {folded(text): place for place, text in enumerate(index.file.sentences)}
    by_question: dict[str, list[int]] = {}
    for number, passage in enumerate(passages):
        by_question.setdefault(folded(passage.question), []).append(number)
    ranks: list[list[int]] = [[0, 0] for _ in passages]
    right: list[list[bool]] = [[False, False] for _ in passages]
    for numbers in by_question.values():
        check()
        judged = [passages[number] for number in numbers]
        for side, embedder in enumerate((models.base, models.tuned)):
            found = _ranks(embedder, index, judged, places)
            for number, rank, is_right in zip(numbers, found, _right(judged, found), strict=True):
                ranks[number][side] = rank
                right[number][side] = is_right
    return [
        Change(passage, float(before), float(after), *was)
        for passage, (before, after), was in zip(passages, ranks, right, strict=True)
    ]


def _cosines(embedder: Embedder, pairs: Sequence[JudgedPair], check: Check) -> list[float]:
    if not pairs:
        return []
    first = embedder.embed([pair.a for pair in pairs], check=check)
    second = embedder.embed([pair.b for pair in pairs], check=check)
    cosines: list[float] = F.cosine_similarity(first, second).tolist()
    return cosines


def _ranks(
    embedder: Embedder,
    index: SearchIndex,
    judged: Sequence[JudgedPassage],
    places: dict[str, int],
) -> list[int]:
    """The rank of each passage of one question, from 1; it need not be a text of `index`."""
    question = judged[0].question
    scores = index.scores(embedder, question)
    asked = F.normalize(embedder.embed([question]), dim=1)[0]
    ranks = []
    for passage in judged:
        place = places.get(folded(passage.passage))
        if place is None:
            vector = embedder.embed([passage.passage], role="passage")
            own = F.normalize(vector, dim=1)[0] @ asked
        else:
            own = scores[place]
        ranks.append(1 + int(torch.count_nonzero(scores > own)))
    return ranks


def _right(judged: Sequence[JudgedPassage], ranks: Sequence[int]) -> list[bool]:
    """Whether each passage of one question ranks as it was judged."""
    answers = [rank for passage, rank in zip(judged, ranks, strict=True) if passage.relevant]
    others = [rank for passage, rank in zip(judged, ranks, strict=True) if not passage.relevant]
    above = min(others) if others else len(answers) + 1
    below = max(answers) if answers else 1
    return [
        rank < above if passage.relevant else rank > below
        for passage, rank in zip(judged, ranks, strict=True)
    ]
