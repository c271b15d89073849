"""Which verdicts stand: of each rater on each item the last that was not undone."""

from __future__ import annotations

from collections.abc import Iterable

from nexus_engine.labels.verdicts import Act, Undo, Verdict, key_of

__all__ = ["Standing"]


class Standing:
    """Folds the acts of a label file, one at a time."""

    def __init__(self, acts: Iterable[Act] = ()) -> None:
        self._given: dict[tuple[str, str], list[Verdict]] = {}
        """By rater and key: the verdicts that were not undone, oldest first."""
        self._places: dict[str, int] = {}
        """The place in the file of each verdict, by its id."""
        self._verdicts: dict[str, Verdict] = {}
        self._undone: set[str] = set()
        for act in acts:
            self.add(act)

    def add(self, act: Act) -> bool:
        """Take in the next act; whether it counts. An id that was there before does not."""
        if isinstance(act, Undo):
            return self._undo(act)
        if act.id in self._places:
            return False
        self._places[act.id] = len(self._places)
        if act.id in self._undone:  # files that were joined may hold the undo first
            return True
        self._verdicts[act.id] = act
        self._given.setdefault((act.rater, key_of(act)), []).append(act)
        return True

    def _undo(self, undo: Undo) -> bool:
        if undo.undoes in self._undone:
            return False
        self._undone.add(undo.undoes)
        verdict = self._verdicts.pop(undo.undoes, None)
        if verdict is not None:
            given = self._given[verdict.rater, key_of(verdict)]
            given[:] = [other for other in given if other.id != verdict.id]
        return True

    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts that stand, in the order in which they were given."""
        last = [given[-1] for given in self._given.values() if given]
        return tuple(sorted(last, key=lambda verdict: self._places[verdict.id]))

    def holds(self, verdict_id: str) -> bool:
        """Whether the verdict was given and not undone; a later one may have replaced it."""
        return verdict_id in self._verdicts

    def keys_of(self, rater: str) -> set[str]:
        """The keys of what `rater` has judged, and of what was shown before an edit."""
        keys = set[str]()
        for (name, key), given in self._given.items():
            if name == rater and given:
                keys.add(key)
                keys.update(verdict.asked for verdict in given if verdict.asked)
        return keys
