"""Search in an index by the base model and by the tuned model, side by side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from nexus_engine.indexing.filters import EVERYWHERE, Filter
from nexus_engine.indexing.index_model import not_its_model
from nexus_engine.indexing.searching import OpenIndex, Placed, Ranking
from nexus_engine.scoring.querying import Check, Embedder, ModelPair
from nexus_engine.scoring.search_texts import KnownQuestions
from nexus_engine.scoring.searching import Match, SearchResult

__all__ = ["compare_in_index", "index_sides"]

Ids = npt.NDArray[np.int64]


class IndexSides(NamedTuple):
    """The models that an index has vectors by; one of them at least."""

    base: Embedder | None
    tuned: Embedder | None

    def first(self) -> Embedder:
        """One of them."""
        embedder = self.tuned or self.base
        assert embedder is not None
        return embedder


class _Side(NamedTuple):
    """What one model finds."""

    top: list[int]
    """Ids of the first passages; of equal texts the first."""
    places: dict[str, int]
    """The rank of each of their texts, from 1."""
    ranks: Ids
    """(n,) the rank of each passage of the index, where equal texts count apart."""
    repeated: int
    """Passages among the first that repeat the text of another."""
    scores: npt.NDArray[np.float32]
    """(n,) -inf outside the filter."""
    placed: dict[int, Placed]

    def rank(self, id_: int, text: str) -> int:
        """The rank of a passage. Below the first, equal texts count apart."""
        place = self.places.get(text)
        return int(self.ranks[id_]) - self.repeated if place is None else place


def index_sides(opened: OpenIndex, models: ModelPair, name: str) -> IndexSides:
    """Which of `models`, called `name`, the index has vectors by.

    Raises:
        ModelError: not by the queried one; with the command that refreshes the index.
    """
    card = opened.card
    tuned = models.tuned
    if tuned is not None and tuned.fingerprint != card.model.fingerprint:
        raise not_its_model(opened.folder, name)
    known = [card.base.fingerprint] if card.base is not None else []
    if card.model.weights_sha256 is None:
        known.append(card.model.fingerprint)
    base = models.base if models.base.fingerprint in known else None
    if base is None and tuned is None:
        raise not_its_model(opened.folder, name)
    return IndexSides(base, tuned)


def compare_in_index(
    opened: OpenIndex,
    sides: IndexSides,
    query: str,
    top: int,
    questions: KnownQuestions | None = None,
    within: Filter = EVERYWHERE,
    check: Check = lambda: None,
) -> SearchResult:
    """The `top` passages nearest to `query` by each side, by vectors and words.

    Known answers of `questions` are marked if `query` is one of them; those outside `within` are
    left out. `check` may raise to stop.

    Raises:
        DataError: the index is damaged, or no file is within the filter.
    """
    cut: list[int] = []
    found: list[_Side | None] = []
    for embedder in sides:
        check()
        if embedder is None:
            found.append(None)
            continue
        vector = embedder.embed([query], check=check, cut=cut.append)[0]
        by_base = embedder is sides.base and opened.card.model.weights_sha256 is not None
        with opened.ranked(vector, query, top, by_base=by_base, within=within) as ranking:
            order, ranks, scores = _all_ranks(ranking)
        check()
        found.append(_side(opened, order, ranks, scores, top))
    base, tuned = found
    question = None if questions is None else questions.place_of(query)
    answers: list[int] = []
    if question is not None and questions is not None:
        answers = questions.answers.rows.list_at(question).tolist()
    lead = tuned or base
    assert lead is not None
    answers = [id_ for id_ in answers if np.isfinite(lead.scores[id_])]
    placed = opened.placed(np.asarray(answers, np.int64))
    for side in (base, tuned):
        placed |= {} if side is None else side.placed

    def match(id_: int) -> Match:
        at = placed[id_]
        text = at.passage.text
        return Match(
            line=at.number,
            times=1,
            sentence=text,
            base=None if base is None else float(base.scores[id_]),
            base_rank=None if base is None else base.rank(id_, text),
            tuned=None if tuned is None else float(tuned.scores[id_]),
            tuned_rank=None if tuned is None else tuned.rank(id_, text),
            source=at.file,
            heading=at.passage.heading,
            is_answer=id_ in answers,
        )

    ranked = sorted((match(id_) for id_ in answers), key=lambda each: each.rank)
    distinct: dict[str, Match] = {}
    for each in ranked:
        distinct.setdefault(each.sentence, each)
    return SearchResult(
        [] if base is None else [match(id_) for id_ in base.top],
        [] if tuned is None else [match(id_) for id_ in tuned.top],
        int(np.isfinite(lead.scores).sum()),
        query_cut=any(cut),
        max_tokens=sides.first().max_tokens,
        question=question,
        answers=tuple(distinct.values()),
    )


def _all_ranks(ranking: Ranking) -> tuple[Ids, Ids, npt.NDArray[np.float32]]:
    """The ids of both lists, the rank of each passage (n,), and a copy of the scores (n,).

    Behind both lists passages follow by falling similarity.
    """
    scores = ranking.scores.clone()
    rest = ranking.scores.clone()
    rest[torch.from_numpy(ranking.order)] = float("inf")
    order = torch.argsort(rest, descending=True, stable=True).numpy()
    order[: len(ranking.order)] = ranking.order
    ranks = np.empty_like(order)
    ranks[order] = np.arange(1, len(order) + 1)
    return ranking.order, ranks, scores.numpy()


def _side(
    opened: OpenIndex, order: Ids, ranks: Ids, scores: npt.NDArray[np.float32], top: int
) -> _Side:
    placed = opened.placed(order)
    places: dict[str, int] = {}
    first: list[int] = []
    for id_ in order.tolist():
        if id_ in placed and placed[id_].passage.text not in places:
            places[placed[id_].passage.text] = len(places) + 1
            first.append(id_)
    return _Side(first[:top], places, ranks, len(order) - len(first), scores, placed)
