"""Search in a corpus: it is embedded once for each model, then queries are fast. Or in an index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nexus_engine.errors import DataError, ModelError, one_line
from nexus_tui.app.kit.work_queue import Check
from nexus_tui.app.playground.long_work import LongWork
from nexus_tui.app.playground.searched import Found, Searched, SearchedIndex, key_of, open_searched
from nexus_tui.app.playground.state import PlaygroundState

if TYPE_CHECKING:
    from nexus_engine.scoring.querying import ModelPair
    from nexus_engine.scoring.searching import SearchResult

__all__ = ["CorpusSearch", "QuestionPlace"]


class QuestionPlace(NamedTuple):
    """Which question of the corpus the query is: number `number` of `total`, from 1."""

    number: int
    total: int
    split: str


class _Answered(NamedTuple):
    query: str
    found: Found
    models: ModelPair
    unit: str
    place: QuestionPlace | None


class _Refused(NamedTuple):
    """Why the queried model cannot search there."""

    reason: str


class CorpusSearch(LongWork):
    """The searched corpus, the last query and its matches.

    `question_taken` is called with the text of each question that `step` chooses.
    """

    kind = "search"

    def __init__(
        self,
        playground: PlaygroundState,
        changed: Callable[[], None],
        question_taken: Callable[[str], None],
    ) -> None:
        super().__init__(playground, changed)
        self.query = ""
        self.words = ""
        """The query without the words that choose files of an index."""
        self.matches: SearchResult | None = None
        self.unit = "line"
        """What the numbers of matches count: line or passage."""
        self.place: QuestionPlace | None = None
        """Which question of the corpus the query is; None for another query."""
        self.base_command = ""
        """What brings the base model's side to the searched index; "" where it is there."""
        self._question_taken = question_taken
        self._path = ""
        self._steps = 0
        """Questions to go, until the present job chooses one; 0 if it has, or never will."""
        self._repeat: Callable[[], None] | None = None
        self._searched: Searched | None = None
        self._audited: tuple[Path | None, Searched] | None = None

    @property
    def words_of_job(self) -> str:
        """The present job in words: texts are embedded once, then there is nothing to count."""
        return "embedding the corpus" if self.doing and self.total else self.doing

    @property
    def ranks_by_words(self) -> bool:
        """Whether words rank beside vectors, so that cosines need not fall from row to row."""
        return isinstance(self._searched, SearchedIndex) and self._searched.ranks_by_words

    @property
    def can_repeat(self) -> bool:
        """Whether there is a query to repeat."""
        return self._repeat is not None

    def search(self, path: str, query: str) -> None:
        """Find the texts of the corpus at `path` that are nearest to `query`."""
        self._steps = 0
        self._repeat = lambda: self.search(path, query)
        self._begin(path, lambda _: query, lambda _: None)

    def step(self, path: str, step: int) -> None:
        """Search for the next question of the corpus at `path`; for the one before with step -1.

        A step while the corpus is still being embedded for another step goes further and does not
        begin anew.
        """
        if self.doing and self._steps and path == self._path:
            self._steps += step
            return
        before = self.place if path == self._path else None
        self._steps = step
        self._repeat = lambda: self.step(path, step)

        def choose(searched: Searched) -> str:
            steps, self._steps = self._steps, 0
            questions = searched.questions
            assert questions is not None
            start = (-1 if steps > 0 else 0) if before is None else before.number - 1
            return questions.texts[(start + steps) % len(questions)]

        self._begin(path, choose, self._question_taken, is_step=True)

    def _begin(
        self,
        path: str,
        choose: Callable[[Searched], str],
        taken: Callable[[str], None],
        *,
        is_step: bool = False,
    ) -> None:
        model, stamp = self.playground.model, self.playground.stamp
        self._path = path

        def work(check: Check) -> _Answered | _Refused:
            models = self.playground.models(model)
            searched = self._opened(path, model.run, models, check)
            if is_step and searched.questions is None:
                raise DataError("this corpus holds no questions with known answers")
            try:
                missing = searched.missing(models, model.name)
            except ModelError as error:
                return _Refused(one_line(error, 600))
            if self._audited != (model.run, searched):  # not for each query
                searched.note_use(self.playground, model)
                self._audited = model.run, searched
            self.expect(missing)
            if missing:
                searched.prepare(models, self.advance, check)
            query = choose(searched)
            found = searched.find(models, query, check)
            place = _place(searched, found.result)
            return _Answered(query, found, models, searched.unit, place)

        def done(outcome: _Answered | _Refused) -> None:
            if isinstance(outcome, _Refused):
                self.error, self.matches, self.place = outcome.reason, None, None
                return
            self.query, found, models, self.unit, self.place = outcome
            self.words, self.matches, self.base_command = found
            self._repeat = lambda: self.search(path, outcome.query)
            taken(self.query)
            self.note_origin(model, stamp, None if models.tuned is None else models.tuned.epoch)

        self.begin("searching", work, done)

    def _opened(self, path: str, run: Path | None, models: ModelPair, check: Check) -> Searched:
        """The corpus as it is on disk now. Runs in the queue's thread."""
        key = key_of(path, run, models.base.max_tokens)
        if self._searched is None or not self._searched.is_same(key):
            self.close()
            self._audited = None
            self._searched = None  # frees the old embeddings before the new ones are computed
            self._searched = open_searched(key, check)
        return self._searched

    def close(self) -> None:
        """Close an open index. Any thread may call it."""
        if self._searched is not None:
            self._searched.close()

    def again(self) -> None:
        """Repeat the query with the present model and weights."""
        if self._repeat is not None:
            self._repeat()


def _place(searched: Searched, result: SearchResult) -> QuestionPlace | None:
    questions = searched.questions
    if questions is None or result.question is None:
        return None
    return QuestionPlace(result.question + 1, len(questions), questions.splits[result.question])
