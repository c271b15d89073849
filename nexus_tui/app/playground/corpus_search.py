"""A query against a text file, asked from the playground: the file is embedded once a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nexus_engine.disk.regular_files import FileStamp, stamp_of
from nexus_engine.errors import DataError
from nexus_engine.system.user_paths import user_path
from nexus_tui.app.playground.long_work import LongWork
from nexus_tui.app.playground.state import PlaygroundState
from nexus_tui.app.playground.work_queue import Check

if TYPE_CHECKING:
    from nexus_engine.scoring.querying import ModelPair
    from nexus_engine.scoring.searching import SearchIndex, SearchResult

__all__ = ["TOP", "CorpusSearch"]

TOP = 100
"""Matches of each side that the list holds."""


class CorpusSearch(LongWork):
    """The file that is searched, the last query and what was found."""

    kind = "search"

    def __init__(self, playground: PlaygroundState, changed: Callable[[], None]) -> None:
        super().__init__(playground, changed)
        self.query = ""
        self.found: SearchResult | None = None
        self._path = ""
        self._index: SearchIndex | None = None
        self._file: tuple[str, FileStamp] | None = None
        self._noted: tuple[Path | None, tuple[str, FileStamp] | None] | None = None

    def search(self, path: str, query: str) -> None:
        """Find the nearest sentences of the file at `path`."""
        model, stamp = self.playground.model, self.playground.stale
        self._path = path

        def work(check: Check) -> tuple[SearchResult, ModelPair]:
            from nexus_engine.scoring.searching import SearchIndex, read_sentences, search

            place = user_path(path, DataError)
            if self._index is None or self._file is None or self._file != _state(path, place):
                self._index = None  # the old file's embeddings go before the new ones come
                state = _state(path, place)
                self._index, self._file = SearchIndex(read_sentences(place, check)), state
            index = self._index
            models = self.playground.models(model)
            if self._noted != (model.run, self._file):  # once a file and model, not once a query
                self.playground.note(model, "search", index.file.sentences)
                self._noted = model.run, self._file
            self.expect(index.missing(models))
            return search(models, index, query, TOP, self.advance, check), models

        def done(answer: tuple[SearchResult, ModelPair]) -> None:
            self.found, models = answer
            self.query = query
            self.answered_by(model, stamp, None if models.tuned is None else models.tuned.epoch)

        self.begin("embedding the file", work, done)

    def again(self) -> None:
        """Ask the same by the model and weights of now."""
        if self.found is not None:
            self.search(self._path, self.query)


def _state(path: str, place: Path) -> tuple[str, FileStamp] | None:
    """Which file, in which state: a file that was changed is read anew."""
    stamp = stamp_of(place, follow=True)
    return None if stamp is None else (path, stamp)
