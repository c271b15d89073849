"""Search in a text file: the file is embedded once for each model, then queries are fast."""

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

__all__ = ["CorpusSearch"]

MAX_MATCHES = 100
"""Matches that the list holds for each model."""


class CorpusSearch(LongWork):
    """The searched file, the last query and its matches."""

    kind = "search"

    def __init__(self, playground: PlaygroundState, changed: Callable[[], None]) -> None:
        super().__init__(playground, changed)
        self.query = ""
        self.matches: SearchResult | None = None
        self._path = ""
        self._index: SearchIndex | None = None
        self._file: tuple[str, FileStamp] | None = None
        self._audited: tuple[Path | None, tuple[str, FileStamp] | None] | None = None

    def search(self, path: str, query: str) -> None:
        """Find the sentences of the file at `path` that are nearest to `query`."""
        model, stamp = self.playground.model, self.playground.stamp
        self._path = path

        def work(check: Check) -> tuple[SearchResult, ModelPair]:
            from nexus_engine.scoring.searching import SearchIndex, read_sentences, search

            file = user_path(path, DataError)
            if self._index is None or self._file is None or self._file != _file_state(path, file):
                self._index = None  # frees the old embeddings before the new ones are computed
                state = _file_state(path, file)
                self._index, self._file = SearchIndex(read_sentences(file, check)), state
            index = self._index
            models = self.playground.models(model)
            if self._audited != (model.run, self._file):  # not for each query
                self.playground.note(model, "search", index.file.sentences)
                self._audited = model.run, self._file
            self.expect(index.missing(models))
            return search(models, index, query, MAX_MATCHES, self.advance, check), models

        def done(result: tuple[SearchResult, ModelPair]) -> None:
            self.matches, models = result
            self.query = query
            self.note_origin(model, stamp, None if models.tuned is None else models.tuned.epoch)

        self.begin("embedding the file", work, done)

    def again(self) -> None:
        """Repeat the query with the present model and weights."""
        if self.matches is not None:
            self.search(self._path, self.query)


def _file_state(path: str, file: Path) -> tuple[str, FileStamp] | None:
    """The file and its stamp: a file that has changed is read again."""
    stamp = stamp_of(file, follow=True)
    return None if stamp is None else (path, stamp)
