"""How many verdicts there are, of each kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from nexus_engine.labels.verdicts import GRADES, PairVerdict, Verdict, is_answered, question_key

__all__ = ["Counts", "counts_of"]


class Counts(NamedTuple):
    """Verdicts by what they say; each number is of verdicts unless it says otherwise."""

    grades: tuple[int, ...]
    """Of pairs: how many have each grade, 0 to 5."""
    same: int
    different: int
    relevant: int
    not_relevant: int
    unsure: int
    skipped: int
    questions: int
    """Distinct questions of which a passage was marked."""
    parts: Mapping[str, int]
    """Of the verdicts that say something, by part; only parts that occur."""
    raters: Mapping[str, int]

    @property
    def pairs(self) -> int:
        """Pairs with a grade or an answer."""
        return sum(self.grades) + self.same + self.different

    @property
    def passages(self) -> int:
        """Passages marked."""
        return self.relevant + self.not_relevant

    @property
    def answered(self) -> int:
        """Verdicts that say something."""
        return self.pairs + self.passages

    @property
    def total(self) -> int:
        """All verdicts, those that are unsure or skipped included."""
        return self.answered + self.unsure + self.skipped


def counts_of(verdicts: Iterable[Verdict]) -> Counts:
    """Count `verdicts`."""
    grades, said, parts, raters = Counter[int](), Counter[str](), Counter[str](), Counter[str]()
    questions = set[str]()
    for verdict in verdicts:
        raters[verdict.rater] += 1
        if not is_answered(verdict):
            said[verdict.answer] += 1
            continue
        parts[verdict.part] += 1
        if not isinstance(verdict, PairVerdict):
            said["relevant" if verdict.relevant else "not relevant"] += 1
            questions.add(question_key(verdict.question))
        elif verdict.grade is not None:
            grades[verdict.grade] += 1
        else:
            said["same" if verdict.same else "different"] += 1
    return Counts(
        tuple(grades[grade] for grade in GRADES),
        same=said["same"],
        different=said["different"],
        relevant=said["relevant"],
        not_relevant=said["not relevant"],
        unsure=said["unsure"],
        skipped=said["skip"],
        questions=len(questions),
        parts=dict(parts),
        raters=dict(raters),
    )
