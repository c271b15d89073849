"""Which pair of sentences to ask about next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nexus_engine.labels.verdicts import pair_key
from nexus_engine.scoring.querying import Embedder
from nexus_engine.teaching.differences import only_difference
from nexus_engine.teaching.embedded_texts import EmbeddedTexts
from nexus_engine.teaching.pair_sources import FoundPair, GivenPairs, MinedPairs, PairSource
from nexus_engine.teaching.sampling_rules import PAIR_RULE, RULES, Pool

__all__ = ["PairCandidate", "PairQueue"]

Floats = npt.NDArray[np.floating]
Indices = npt.NDArray[np.int64]
Check = Callable[[], None]

MAX_POOL = 4000
"""Pairs among which the sampling rule chooses; the oldest leave."""
CHOSEN_AT_ONCE = 16
"""Pairs that the rule chooses at a time."""
ALIKE_EVERY = 4
"""Each fourth pair is one that differs in a number, a date or a negation, while there are some."""
MIDDLE = 0.5
"""The cosine of which the model is least sure whether two sentences mean the same."""
UNSURE_WITHIN = 0.1
MUCH = 0.15
"""A difference of the models' cosines that is worth a word."""
NEAR = 0.75


class PairCandidate(NamedTuple):
    """Two sentences, why they are asked, in a few words, and their cosines, -1..1.

    `base_cosine` is by the base model, and equal to `cosine` without a tuned one.
    """

    a: str
    b: str
    reason: str
    cosine: float
    base_cosine: float

    def __repr__(self) -> str:
        # Without the sentences: a repr ends up in logs and tracebacks.
        return f"PairCandidate(reason={self.reason!r}, cosine={self.cosine:.3f})"


class PairQueue:
    """Pairs to judge, the most useful first; each once.

    The first question comes from a small sample of the texts. `advance` looks at more of them, in
    steps of a fraction of a second; whoever owns the queue calls it while nothing else is to do.
    One thread at a time may call `next` and `advance`; any may call `judged`.

    Args:
        texts: Distinct texts (see `judgeable_texts`), or the sentences of `pairs`.
        model: The model that is taught: the tuned one, or the base model.
        base: The base model; may be the same object.
        judged: The keys of the pairs that were judged before (`pair_key`).
        seed: Of the order.
        pairs: (n, 2) places in `texts`: ask these pairs instead of pairs of neighbours.
        rule: Name of a sampling rule, of `RULES`.
    """

    def __init__(
        self,
        texts: Sequence[str],
        model: Embedder,
        base: Embedder,
        judged: set[str],
        seed: int = 0,
        *,
        pairs: Indices | None = None,
        rule: str = PAIR_RULE,
    ) -> None:
        self._random = np.random.default_rng(seed)
        self._texts = EmbeddedTexts(texts, model, base)
        self._source: PairSource = (
            MinedPairs(self._texts, self._random)
            if pairs is None
            else GivenPairs(self._texts, pairs, self._random)
        )
        self._rule = RULES[rule]
        self._judged = set(judged)
        self._places = np.zeros((0, 2), np.int64)
        """The pairs of the pool, (n, 2) places in the texts."""
        self._is_asked = np.zeros(0, bool)
        self._known: set[tuple[int, int]] = set()
        """All pairs that were ever in the pool."""
        self._alike: deque[FoundPair] = deque()
        self._chosen: deque[tuple[int, int]] = deque()
        self._turn = 0

    @property
    def is_complete(self) -> bool:
        """Whether every text was looked at."""
        return self._source.is_complete

    def advance(self, check: Check = lambda: None) -> bool:
        """Look at some more texts; False once all were looked at. `check` may raise to stop."""
        if self.is_complete:
            return False
        self._take_in(self._source.advance(check))
        return not self.is_complete

    def next(self, check: Check = lambda: None) -> PairCandidate | None:
        """The next pair to ask about; None when nothing is left."""
        while True:
            found = self._next_alike() or self._next_chosen()
            if found is None:
                if self.is_complete:
                    return None
                self.advance(check)
                continue
            candidate = self._candidate(found)
            key = pair_key(candidate.a, candidate.b)
            if key not in self._judged:
                self._judged.add(key)  # asked once, whatever becomes of it
                self._turn += 1
                return candidate

    def judged(self, key: str) -> None:
        """Do not ask the pair of this key (`pair_key`); it was judged elsewhere."""
        self._judged.add(key)

    # The pool

    def _take_in(self, found: list[FoundPair]) -> None:
        new: list[tuple[int, int]] = []
        asked: list[bool] = []
        for pair in found:
            both = (min(pair[:2]), max(pair[:2]))
            is_judged = self._key(both) in self._judged
            if pair.differs is not None and not is_judged:
                self._alike.append(pair)
            if both not in self._known:
                self._known.add(both)
                new.append(both)
                asked.append(is_judged)
        if not new:
            return
        self._places = np.concatenate([self._places, np.asarray(new, np.int64)])
        self._is_asked = np.concatenate([self._is_asked, np.asarray(asked, bool)])
        if len(self._places) > MAX_POOL:
            # Those that were asked stay: the rule looks how far the others are from them.
            extra = len(self._places) - MAX_POOL
            gone = np.flatnonzero(~self._is_asked)[:extra]
            self._places = np.delete(self._places, gone, 0)
            self._is_asked = np.delete(self._is_asked, gone)

    def _key(self, pair: tuple[int, int]) -> str:
        return pair_key(*(self._texts.texts[place] for place in pair))

    def _next_alike(self) -> tuple[int, int] | None:
        """A pair that differs in one thing alone, when its turn has come."""
        if self._turn % ALIKE_EVERY != ALIKE_EVERY - 1 or not self._alike:
            return None
        pair = self._alike.popleft()
        return pair.first, pair.second

    def _next_chosen(self) -> tuple[int, int] | None:
        """The next pair that the rule has chosen."""
        if not self._chosen:
            pool = self._pool()
            if pool is None:
                return None
            for place in self._rule(pool, CHOSEN_AT_ONCE, self._random).tolist():
                self._is_asked[place] = True
                first, second = self._places[place].tolist()
                self._chosen.append((first, second))
        return self._chosen.popleft() if self._chosen else None

    def _pool(self) -> Pool | None:
        if self._is_asked.all():
            return None
        texts, (first, second) = self._texts, self._places.T
        one, other = texts.vectors(first), texts.vectors(second)
        level = (one * other).sum(1)
        about = one + other
        about /= np.maximum(np.linalg.norm(about, axis=1, keepdims=True), 1e-6)
        difference = np.zeros(len(level))
        if texts.is_tuned:
            products = texts.vectors(first, base=True) * texts.vectors(second, base=True)
            difference = np.abs(_shares(level) - _shares(products.sum(1)))
        doubt = -np.abs(level - MIDDLE)
        return Pool(about, level, doubt, difference, np.flatnonzero(self._is_asked))

    def _candidate(self, pair: tuple[int, int]) -> PairCandidate:
        places = np.asarray(pair, np.int64)
        one, other = self._texts.vectors(places)
        base_one, base_other = self._texts.vectors(places, base=True)
        cosine, base_cosine = float(one @ other), float(base_one @ base_other)
        first, second = (self._texts.texts[place] for place in pair)
        differs = only_difference(first, second)
        reason = _reason(cosine, base_cosine) if differs is None else f"they differ in a {differs}"
        return PairCandidate(first, second, reason, cosine, base_cosine)


def _reason(cosine: float, base_cosine: float) -> str:
    if abs(cosine - base_cosine) >= MUCH:
        return "base and tuned model disagree"
    if abs(cosine - MIDDLE) <= UNSURE_WITHIN:
        return "the model is unsure"
    return "near, says the model" if cosine >= NEAR else "spread over the texts"


def _shares(values: Floats) -> Floats:
    """The place of each value in the order of all, 0..1."""
    order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return order / max(1, len(values) - 1)
