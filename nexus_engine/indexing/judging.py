"""How well an index answers questions whose answers are known: by vectors alone, and by both.

Each question goes through the search that `nexus search --index` makes, so everything counts that
a user meets: rounded vectors, few numbers, words, equal texts shown once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from nexus_engine.data.questions.question_data import QuestionData, QuestionSplit
from nexus_engine.disk.lock import RunLock
from nexus_engine.errors import DataError, RunError, one_line
from nexus_engine.indexing.building import BUSY
from nexus_engine.indexing.index_card import IndexCard, read_card, write_card
from nexus_engine.indexing.searching import OpenIndex
from nexus_engine.same_text import folded
from nexus_engine.scoring.querying import Embedder
from nexus_engine.scoring.ranking import CUTOFF, NOT_RANKED, Ranking, score_ranks

__all__ = ["JudgedIndex", "judge_index", "keep_ranking"]

TEXTS_AT_ONCE = 10_000


class JudgedIndex(NamedTuple):
    """The scores of each question, by vectors alone and by vectors and words.

    Searches show ten passages, so recall at 100 counts ten too. `missing` of the `answers` texts
    that answer a question are not in the index; they count as not found.
    """

    vectors: Ranking
    hybrid: Ranking
    answers: int
    missing: int


def keep_ranking(index: Path, card: IndexCard, *, hybrid: bool) -> None:
    """Store in the index, which had `card` when it was judged, whether words rank in it.

    Raises:
        DataError: the index is damaged.
        RunError: another process writes it, or gave it other vectors since.
    """
    with RunLock(index, BUSY):
        now = read_card(index)
        if (now.vectors, now.generation) != (card.vectors, card.generation):
            raise RunError(f"{one_line(index)}: changed while it was judged; judge it again")
        write_card(index, msgspec.structs.replace(now, hybrid=hybrid))


def judge_index(
    index: OpenIndex,
    embedder: Embedder,
    data: QuestionData,
    split: QuestionSplit,
    progress: Callable[[int], None] = lambda _: None,
) -> JudgedIndex:
    """Search `index` for each question of `split`, a part of `data`.

    `embedder` has the model of the index. A text of the index is an answer if both are equal but
    for case and white space. `progress` counts questions and may raise to stop.

    Raises:
        DataError: the split has no question, no answer is in the index, or the index is damaged.
    """
    if not len(split):
        raise DataError(f"{data.name}: holds no such question; choose another part with --split")
    rows = np.unique(split.answers.rows.values).tolist()
    answers = {folded(text): row for row, text in zip(rows, _texts(data, rows), strict=True)}
    found = {answers.get(folded(text)) for text in index.texts()} - {None}
    if not found:
        raise DataError(
            f"{one_line(index.folder, 200)}: none of the {len(rows):,} answers of {data.name} is "
            "in the index; give the questions of its corpus with --data"
        )
    questions: list[str] = split.questions.to_pylist()
    vectors = embedder.embed(questions, remember=False)
    ranks: dict[bool, list[int]] = {False: [], True: []}
    for place, (vector, question) in enumerate(zip(vectors, questions, strict=True)):
        own = split.answers.rows.list_at(place).tolist()
        for hybrid, listed in ranks.items():
            hits = index.search(vector, question, CUTOFF, hybrid=hybrid)
            places: dict[int | None, int] = {}
            for rank, hit in enumerate(hits, start=1):
                places.setdefault(answers.get(folded(hit.text)), rank)
            listed += [places.get(row, NOT_RANKED) for row in own]
        progress(1)
    by_vectors, by_both = (
        score_ranks(np.asarray(listed, np.int64), split.answers) for listed in ranks.values()
    )
    return JudgedIndex(by_vectors, by_both, len(rows), len(rows) - len(found))


def _texts(data: QuestionData, rows: list[int]) -> Iterator[str]:
    for start in range(0, len(rows), TEXTS_AT_ONCE):
        yield from data.passages.take(rows[start : start + TEXTS_AT_ONCE]).to_pylist()
