"""Search in a corpus: it is embedded once for each model, then queries are fast."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nexus_engine.disk.regular_files import FileStamp, stamp_of
from nexus_engine.errors import DataError
from nexus_tui.app.kit.work_queue import Check
from nexus_tui.app.playground.long_work import LongWork
from nexus_tui.app.playground.state import PlaygroundState
from nexus_tui.work.model_data import DataChoice, choose_data

if TYPE_CHECKING:
    from nexus_engine.scoring.querying import ModelPair
    from nexus_engine.scoring.searching import SearchIndex, SearchResult

__all__ = ["CorpusSearch", "QuestionPlace"]

MAX_MATCHES = 100
"""Matches that the list holds for each model."""
MAX_STAMPED = 20_000
"""Files of a folder that are looked at for changes."""


class QuestionPlace(NamedTuple):
    """Which question of the corpus the query is: number `number` of `total`, from 1."""

    number: int
    total: int
    split: str


class _Corpus(NamedTuple):
    """What an index was made of: another corpus, changed files or another length make a new one."""

    choice: DataChoice
    files: tuple[tuple[str, FileStamp], ...]
    max_tokens: int


class _Answered(NamedTuple):
    query: str
    result: SearchResult
    models: ModelPair
    unit: str
    place: QuestionPlace | None


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
        self.matches: SearchResult | None = None
        self.unit = "line"
        """What the numbers of matches count: line or passage."""
        self.place: QuestionPlace | None = None
        """Which question of the corpus the query is; None for another query."""
        self._question_taken = question_taken
        self._path = ""
        self._steps = 0
        """Questions to go, until the present job chooses one; 0 if it has, or never will."""
        self._index: SearchIndex | None = None
        self._corpus: _Corpus | None = None
        self._audited: tuple[Path | None, _Corpus | None] | None = None

    def search(self, path: str, query: str) -> None:
        """Find the texts of the corpus at `path` that are nearest to `query`."""
        self._steps = 0
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

        def choose(index: SearchIndex) -> str:
            steps, self._steps = self._steps, 0
            questions = index.file.questions
            assert questions is not None
            start = (-1 if steps > 0 else 0) if before is None else before.number - 1
            return questions.texts[(start + steps) % len(questions)]

        self._begin(path, choose, self._question_taken, is_step=True)

    def _begin(
        self,
        path: str,
        choose: Callable[[SearchIndex], str],
        taken: Callable[[str], None],
        *,
        is_step: bool = False,
    ) -> None:
        model, stamp = self.playground.model, self.playground.stamp
        self._path = path

        def work(check: Check) -> _Answered:
            from nexus_engine.scoring.searching import search

            models = self.playground.models(model)
            index = self._opened(path, None if model.run is None else model.run, models, check)
            if is_step and index.file.questions is None:
                raise DataError("this corpus holds no questions with known answers")
            if self._audited != (model.run, self._corpus):  # not for each query
                self.playground.note(model, "search", index.file.sentences)
                self._audited = model.run, self._corpus
            self.expect(index.missing(models))
            index.embed(models, self.advance, check)
            query = choose(index)
            result = search(models, index, query, MAX_MATCHES, self.advance, check)
            return _Answered(query, result, models, index.file.unit, _place(index, result))

        def done(answered: _Answered) -> None:
            self.query, self.matches, models, self.unit, self.place = answered
            taken(self.query)
            self.note_origin(model, stamp, None if models.tuned is None else models.tuned.epoch)

        self.begin("embedding the corpus", work, done)

    def _opened(self, path: str, run: Path | None, models: ModelPair, check: Check) -> SearchIndex:
        """The index of the corpus as it is on disk now. Runs in the queue's thread."""
        from nexus_engine.data.questions.loading import spec_path
        from nexus_engine.scoring.searching import SearchIndex
        from nexus_tui.work.question_data import read_requested

        choice = choose_data([] if run is None else [str(run)], path, None)
        corpus = _Corpus(choice, _files(spec_path(path)), models.base.max_tokens)
        if self._index is None or not corpus.files or corpus != self._corpus:
            self._index = None  # frees the old embeddings before the new ones are computed
            self._index = SearchIndex(read_requested(choice, corpus.max_tokens, check))
            self._corpus = corpus
        return self._index

    def again(self) -> None:
        """Repeat the query with the present model and weights."""
        if self.matches is not None:
            self.search(self._path, self.query)


def _place(index: SearchIndex, result: SearchResult) -> QuestionPlace | None:
    questions = index.file.questions
    if questions is None or result.question is None:
        return None
    return QuestionPlace(result.question + 1, len(questions), questions.splits[result.question])


def _files(path: Path) -> tuple[tuple[str, FileStamp], ...]:
    """The files of a corpus and their stamps: what has changed is read again. Reads the disk."""
    names = [str(path)]
    if path.is_dir():
        for parent, folders, files in os.walk(path):
            folders.sort()
            names += [os.path.join(parent, name) for name in sorted(files)]
            if len(names) > MAX_STAMPED:
                break
    stamps = ((name, stamp_of(Path(name), follow=True)) for name in names)
    return tuple((name, stamp) for name, stamp in stamps if stamp is not None)
