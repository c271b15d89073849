"""How far two raters agree: kappa, the share of equal answers, and each disagreement.

Kappa is agreement beyond what the raters' own habits would give by chance: 1 is full agreement, 0
is chance. For yes and no it is Cohen's (1960); for grades it is weighted by the square of the
distance (Cohen 1968), so that 4 against 5 counts far less than 0 against 5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Literal, NamedTuple, TypeVar

from nexus_engine.labels.verdicts import PairVerdict, Verdict, is_answered, key_of

__all__ = [
    "Agreement",
    "Disagreement",
    "agreements",
    "cohen_kappa",
    "disagreements",
    "weighted_kappa",
]

T = TypeVar("T", bound=Hashable)

Kind = Literal["grades", "same", "answers"]
"""Grades of pairs, yes or no on pairs, yes or no on passages."""


class Agreement(NamedTuple):
    """What two raters said on the items that both judged."""

    raters: tuple[str, str]
    kind: Kind
    items: int
    """Judged by both, at least 1."""
    equal: int
    """With the same answer."""
    kappa: float | None
    """Weighted for grades, Cohen's for yes and no; None where each rater gave one answer alone."""

    @property
    def share(self) -> float:
        """Of the items, those with the same answer; 0 to 1."""
        return self.equal / self.items


class Disagreement(NamedTuple):
    """An item on which raters gave different answers of one kind, and what each said."""

    key: str
    kind: Kind
    verdicts: tuple[Verdict, ...]
    """In the order of the raters."""
    is_settled: bool


def agreements(by_rater: Mapping[str, Iterable[Verdict]]) -> list[Agreement]:
    """The agreement of each two raters on each kind of which both judged an item.

    `by_rater` holds the verdicts of each rater that stand, at most one on an item; settled ones do
    not count.
    """
    answers = {
        rater: {
            key_of(verdict): verdict
            for verdict in verdicts
            if is_answered(verdict) and not verdict.settled
        }
        for rater, verdicts in by_rater.items()
    }
    found = []
    for one, other in combinations(answers, 2):
        of_kind: dict[Kind, list[tuple[int, int]]] = {}
        for key, verdict in answers[one].items():
            against = answers[other].get(key)
            if against is not None and kind_of(verdict) == kind_of(against):
                of_kind.setdefault(kind_of(verdict), []).append((_value(verdict), _value(against)))
        for kind in ("grades", "same", "answers"):
            if pairs := of_kind.get(kind):
                first, second = zip(*pairs, strict=True)
                kappa = (weighted_kappa if kind == "grades" else cohen_kappa)(first, second)
                equal = sum(a == b for a, b in pairs)
                found.append(Agreement((one, other), kind, len(pairs), equal, kappa))
    return found


def disagreements(by_rater: Mapping[str, Iterable[Verdict]]) -> list[Disagreement]:
    """The items on which raters gave different answers of one kind, in the order of judging.

    A rater whose verdict is settled ended a disagreement, and is not counted among those who
    disagree.
    """
    items: dict[str, list[Verdict]] = {}
    settled = set[str]()
    for verdicts in by_rater.values():
        for verdict in verdicts:
            if verdict.settled:
                settled.add(key_of(verdict))
            elif is_answered(verdict):
                items.setdefault(key_of(verdict), []).append(verdict)
    found = []
    for key, given in items.items():
        for kind in dict.fromkeys(map(kind_of, given)):
            of_kind = [verdict for verdict in given if kind_of(verdict) == kind]
            if len(set(map(_value, of_kind))) > 1:
                found.append(Disagreement(key, kind, tuple(of_kind), key in settled))
    return found


def kind_of(verdict: Verdict) -> Kind:
    """The kind of an answer."""
    if not isinstance(verdict, PairVerdict):
        return "answers"
    return "grades" if verdict.grade is not None else "same"


def _value(verdict: Verdict) -> int:
    if not isinstance(verdict, PairVerdict):
        return int(bool(verdict.relevant))
    return int(bool(verdict.same)) if verdict.grade is None else verdict.grade


def cohen_kappa(first: Sequence[T], second: Sequence[T]) -> float | None:
    """Cohen's kappa of the answers of two raters on the same items, in the same order.

    At most 1. None without an item, and where both raters gave one and the same answer throughout.

    Raises:
        ValueError: the two differ in length.
    """
    return _kappa(first, second, lambda a, b: float(a != b))


def weighted_kappa(first: Sequence[int], second: Sequence[int]) -> float | None:
    """Kappa weighted by the squared distance of the grades; otherwise as `cohen_kappa`."""
    return _kappa(first, second, lambda a, b: float((a - b) ** 2))


def _kappa(
    first: Sequence[T], second: Sequence[T], distance: Callable[[T, T], float]
) -> float | None:
    """1 less the mean distance of the answers over that expected by chance."""
    observed = [distance(a, b) for a, b in zip(first, second, strict=True)]
    of_first, of_second = Counter(first), Counter(second)
    chance = sum(
        times * other_times * distance(a, b)
        for a, times in of_first.items()
        for b, other_times in of_second.items()
    )
    return 1 - sum(observed) * len(observed) / chance if chance else None
