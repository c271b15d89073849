"""Search in passages of which only some are embedded yet.

Until all are, a search first embeds the passages that share rare words with the question, so that
a question finds its answer from the first minute.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from nexus_engine.scoring.querying import Embedder
from nexus_engine.teaching.embedded_texts import EmbeddedTexts

__all__ = ["GrowingSearch"]

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Check = Callable[[], None]

PASSAGES_PER_STEP = 16
"""A question of the user's waits for the step that has begun."""
SHARING = 32
"""Passages with the words of a question that are embedded for it."""
MAX_LOOKED_AT = 20_000
"""Passages in which words are looked for: a question is not to wait for more."""
WORD = re.compile(r"\w{3,}")


class GrowingSearch:
    """Passages by similarity; `embedded` grows with each `advance`."""

    def __init__(
        self,
        passages: Sequence[str],
        model: Embedder,
        base: Embedder,
        random: np.random.Generator,
    ) -> None:
        self.embedded = EmbeddedTexts(passages, model, base, "passage")
        self._order = random.permutation(len(passages))
        self._done = 0

    @property
    def is_complete(self) -> bool:
        """Whether all passages are embedded."""
        return self._done == len(self._order)

    def advance(self, check: Check = lambda: None) -> None:
        """Embed the next passages."""
        chosen = self._order[self._done : self._done + PASSAGES_PER_STEP]
        self.embedded.add(chosen, check)
        self._done += len(chosen)

    def embed_sharing(self, question: str, check: Check = lambda: None) -> None:
        """Embed passages that share the rarest words with `question`, if some are not yet."""
        if self.is_complete:
            return
        places = self._order[self._done :][:MAX_LOOKED_AT].tolist()
        worth = np.zeros(len(places))
        for word in dict.fromkeys(WORD.findall(question.casefold())):
            spelled = (word, word.capitalize())
            hits = np.fromiter(
                (any(each in self.embedded.texts[place] for each in spelled) for place in places),
                bool,
                len(places),
            )
            check()
            if hits.any():
                worth += hits * math.log(1 + len(places) / hits.sum())
        best = np.argsort(-worth, kind="stable")[:SHARING]
        self.embedded.add(np.asarray(places, np.int64)[best[worth[best] > 0]], check)

    def nearest(self, questions: Floats, top: int, *, base: bool = False) -> tuple[Indices, Floats]:
        """The `top` embedded passages nearest to each of `questions` (q, width) of length 1.

        Their places (q, t) and cosines (q, t) by the tuned or the base model, nearest first; t is
        smaller than `top` while fewer are embedded.
        """
        cosines = self.embedded.cosines(questions, base=base)
        top = min(top, cosines.shape[1])
        if not top:
            return np.zeros((len(questions), 0), np.int64), np.zeros(
                (len(questions), 0), np.float32
            )
        near = np.argpartition(-cosines, top - 1, axis=1)[:, :top]
        values = np.take_along_axis(cosines, near, 1)
        order = np.argsort(-values, axis=1, kind="stable")
        columns = np.take_along_axis(near, order, 1)
        return self.embedded.places[columns], np.take_along_axis(values, order, 1)
