"""The standing verdicts, counted as they come: what the progress shows, and what is known already.

Of each item the last verdict of a rater stands; taking it back lets the one before stand again.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from nexus_tui.charts.teach.progress import Progress
from nexus_tui.charts.teach.search_card import Mark

if TYPE_CHECKING:
    from nexus_engine.labels.verdicts import SearchVerdict, Verdict

__all__ = ["Tally", "mark_of", "place_of", "said"]

PACE_VERDICTS = 20
"""Verdicts over which the pace is taken."""
MIN_PACE_VERDICTS = 3
PAUSE_SECONDS = 120.0
"""A longer gap between two verdicts is a pause, from which the pace begins anew."""


class Tally:
    """Counts verdicts. `now` values are seconds of a clock that only rises."""

    def __init__(self, verdicts: Iterable[Verdict] = ()) -> None:
        self._times: deque[float] = deque(maxlen=PACE_VERDICTS)
        self.restart(verdicts)

    def restart(self, verdicts: Iterable[Verdict]) -> None:
        """Count these verdicts alone; the pace stays."""
        self._given: dict[tuple[str, str], list[Verdict]] = {}
        self._counts: Counter[str] = Counter()
        self._questions: dict[str, dict[str, SearchVerdict]] = {}
        """By the key of a question: the standing verdicts on its passages, by their texts' keys."""
        for verdict in verdicts:
            self.add(verdict)

    def add(self, verdict: Verdict, now: float | None = None) -> None:
        """Count a verdict; with `now`, also for the pace."""
        given = self._given.setdefault(_item(verdict), [])
        if given:
            self._count(given[-1], -1)
        given.append(verdict)
        self._count(verdict, 1)
        self._note(verdict)
        if now is not None:
            if self._times and now - self._times[-1] > PAUSE_SECONDS:
                self._times.clear()
            self._times.append(now)

    def take_back(self, verdict: Verdict) -> None:
        """Count as if `verdict` had not been given."""
        given = self._given.get(_item(verdict), [])
        if not given or given[-1].id != verdict.id:
            given[:] = [other for other in given if other.id != verdict.id]
            return
        self._count(given.pop(), -1)
        if given:
            self._count(given[-1], 1)
            self._note(given[-1])
        else:
            self._forget(verdict)

    def _count(self, verdict: Verdict, number: int) -> None:
        self._counts[_category(verdict)] += number
        if verdict.part in ("dev", "test") and verdict.answer not in ("unsure", "skip"):
            self._counts["held out"] += number

    def _note(self, verdict: Verdict) -> None:
        from nexus_engine.labels.verdicts import SearchVerdict, question_key, text_key

        if isinstance(verdict, SearchVerdict):
            known = self._questions.setdefault(question_key(verdict.question), {})
            known[text_key(verdict.passage)] = verdict

    def _forget(self, verdict: Verdict) -> None:
        from nexus_engine.labels.verdicts import SearchVerdict, question_key, text_key

        if isinstance(verdict, SearchVerdict):
            known = self._questions.get(question_key(verdict.question), {})
            known.pop(text_key(verdict.passage), None)

    def marks(self, question: str, passages: Iterable[str]) -> list[Mark]:
        """What was said of each of `passages` for `question`; "" for nothing."""
        from nexus_engine.labels.verdicts import question_key, text_key

        known = self._questions.get(question_key(question), {})
        return [mark_of(known.get(text_key(passage))) for passage in passages]

    def answers(self, question: str) -> list[str]:
        """The passages that were marked as answers of `question`."""
        from nexus_engine.labels.verdicts import question_key

        known = self._questions.get(question_key(question), {})
        return [verdict.passage for verdict in known.values() if verdict.relevant]

    def standing(self, rater: str) -> list[Verdict]:
        """The standing verdicts of one rater, by when their items were first judged."""
        return [given[-1] for (name, _), given in self._given.items() if name == rater and given]

    @property
    def judged(self) -> int:
        """Standing verdicts that say something: neither unsure nor skipped."""
        return self.progress().judged

    def progress(self, advice: str = "") -> Progress:
        """The counts and the pace."""
        counts = self._counts
        return Progress(
            grades=tuple(counts[f"grade {grade}"] for grade in range(6)),
            same=counts["same"],
            different=counts["not the same"],
            answers=counts["an answer"],
            others=counts["no answer"],
            unsure=counts["unsure"],
            skipped=counts["skipped"],
            held_out=counts["held out"],
            per_minute=self._pace(),
            advice=advice,
        )

    def _pace(self) -> float | None:
        if len(self._times) < MIN_PACE_VERDICTS:
            return None
        seconds = self._times[-1] - self._times[0]
        return 60 * (len(self._times) - 1) / max(seconds, 0.1)


def said(verdict: Verdict) -> str:
    """A verdict in a word or two."""
    if verdict.answer == "unsure":
        return "unsure"
    if verdict.answer == "skip":
        return "skipped"
    from nexus_engine.labels.verdicts import SearchVerdict

    if isinstance(verdict, SearchVerdict):
        return "an answer" if verdict.relevant else "no answer"
    if verdict.answer == "grade":
        return str(verdict.grade)
    return "same" if verdict.same else "not the same"


def texts_of(verdict: Verdict) -> tuple[str, str]:
    """The two texts of a verdict."""
    from nexus_engine.labels.verdicts import PairVerdict

    if isinstance(verdict, PairVerdict):
        return verdict.a, verdict.b
    return verdict.question, verdict.passage


def place_of(wanted: str, verdicts: Sequence[Verdict]) -> int | None:
    """The place of the verdict that the user wants; the newest that holds the words."""
    if wanted.isdigit():
        place = int(wanted) - 1
        return place if 0 <= place < len(verdicts) else None
    words = wanted.casefold()
    for place in reversed(range(len(verdicts))):
        if any(words in text.casefold() for text in texts_of(verdicts[place])):
            return place
    return None


def mark_of(verdict: SearchVerdict | None) -> Mark:
    """How a verdict on a passage is shown."""
    if verdict is None or verdict.answer == "skip":
        return ""
    if verdict.answer == "unsure":
        return "unsure"
    return "yes" if verdict.relevant else "no"


def _category(verdict: Verdict) -> str:
    words = said(verdict)
    return f"grade {words}" if verdict.answer == "grade" else words


def _item(verdict: Verdict) -> tuple[str, str]:
    from nexus_engine.labels.verdicts import key_of

    return verdict.rater, key_of(verdict)
