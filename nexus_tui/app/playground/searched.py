"""What the part Search looks through: texts that are embedded in memory, or an index on disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from nexus_engine.disk.regular_files import FileStamp, stamp_of
from nexus_engine.errors import DataError
from nexus_tui.app.kit.work_queue import Check
from nexus_tui.work.model_data import DataChoice, choose_data

if TYPE_CHECKING:
    from nexus_engine.scoring.querying import ModelPair
    from nexus_engine.scoring.search_texts import KnownQuestions
    from nexus_engine.scoring.searching import SearchResult
    from nexus_tui.app.playground.queried_model import QueriedModel
    from nexus_tui.app.playground.state import PlaygroundState

__all__ = ["Found", "Searched", "SearchedKey", "key_of", "open_searched"]

MAX_MATCHES = 100
"""Matches that the list holds for each model."""
MAX_STAMPED = 20_000
"""Files of a folder that are looked at for changes."""

Advance = Callable[[int], None]


class Found(NamedTuple):
    """What a query found. `words` is the query without the words that choose files."""

    words: str
    result: SearchResult
    base_command: str = ""
    """What brings the base model's side to an index that lacks it; "" where nothing is missing."""


class Searched(Protocol):
    """A corpus as it was when it was opened. Its methods run in the queue's thread."""

    unit: str
    """What the numbers of matches count: line or passage."""
    questions: KnownQuestions | None

    def is_same(self, other_key: SearchedKey) -> bool:
        """Whether it was opened with this key, and can be searched again."""

    def missing(self, models: ModelPair, name: str) -> int:
        """Texts to embed before a search by `models`, called `name`; may refuse them."""

    def prepare(self, models: ModelPair, advance: Advance, check: Check) -> None:
        """Embed what is missing."""

    def find(self, models: ModelPair, query: str, check: Check) -> Found:
        """Search by the models that `missing` was asked about, once nothing is."""

    def note_use(self, playground: PlaygroundState, model: QueriedModel) -> None:
        """Note in the run's audit that its model is used."""

    def close(self) -> None:
        """Close what is open; any thread may call it."""


class _TextsKey(NamedTuple):
    """Another corpus, changed files or another length are embedded anew."""

    choice: DataChoice
    files: tuple[tuple[str, FileStamp], ...]
    max_tokens: int


class SearchedTexts:
    """Texts in memory, embedded once for each model."""

    def __init__(self, key: _TextsKey, check: Check) -> None:
        from nexus_engine.scoring.searching import SearchIndex
        from nexus_tui.work.question_data import read_requested

        self._key = key
        self._index = SearchIndex(read_requested(key.choice, key.max_tokens, check))
        self.unit = self._index.file.unit
        self.questions = self._index.file.questions

    def is_same(self, other_key: SearchedKey) -> bool:
        """The same files in the same state."""
        return bool(self._key.files) and other_key == self._key

    def missing(self, models: ModelPair, name: str) -> int:  # noqa: ARG002 - takes any model
        """All texts for each model that is new."""
        return self._index.missing(models)

    def prepare(self, models: ModelPair, advance: Advance, check: Check) -> None:
        """The texts by the models that are new; all other embeddings are dropped."""
        self._index.embed(models, advance, check)

    def find(self, models: ModelPair, query: str, check: Check) -> Found:
        """Rank all texts."""
        from nexus_engine.scoring.searching import search

        return Found(query, search(models, self._index, query, MAX_MATCHES, check=check))

    def note_use(self, playground: PlaygroundState, model: QueriedModel) -> None:
        """With the fingerprint of the texts."""
        playground.note(model, "search", self._index.file.sentences)

    def close(self) -> None:
        """Nothing is open."""


class _IndexKey(NamedTuple):
    folder: Path
    card: FileStamp | None


class SearchedIndex:
    """An index on disk, whose passages are embedded already."""

    unit = "passage"

    def __init__(self, key: _IndexKey) -> None:
        from nexus_engine.indexing.searching import OpenIndex

        self._key = key
        self._opened = OpenIndex(key.folder)
        self.questions = self._opened.questions()

    @property
    def ranks_by_words(self) -> bool:
        """Whether words rank beside vectors."""
        return self._opened.card.hybrid

    def is_same(self, other_key: SearchedKey) -> bool:
        """The same state of the same index."""
        return other_key == self._key

    def missing(self, models: ModelPair, name: str) -> int:
        """None; refuses models that the index has no vectors by."""
        from nexus_engine.indexing.comparing import index_sides

        self._sides = index_sides(self._opened, models, name)
        return 0

    def prepare(self, models: ModelPair, advance: Advance, check: Check) -> None:
        """Nothing is missing."""

    def find(self, models: ModelPair, query: str, check: Check) -> Found:  # noqa: ARG002
        """Search by vectors and words, in the files that the query names."""
        from nexus_engine.indexing.comparing import compare_in_index
        from nexus_engine.indexing.filters import EVERYWHERE, typed_query
        from nexus_engine.indexing.index_model import refresh_command

        is_known = self.questions is not None and self.questions.place_of(query) is not None
        words, within = (query, EVERYWHERE) if is_known else typed_query(query)
        if not words.strip():
            raise DataError("give words to look for beside file: and folder:")
        result = compare_in_index(
            self._opened, self._sides, words, MAX_MATCHES, self.questions, within, check
        )
        command = ""
        if self._sides.base is None:
            command = refresh_command(self._key.folder, "--with-base")
        return Found(words, result, command)

    def note_use(self, playground: PlaygroundState, model: QueriedModel) -> None:
        """With the number of passages alone."""
        playground.note_index(model, len(self._opened))

    def close(self) -> None:
        """Close the index; a search under way ends first."""
        self._opened.close()


SearchedKey = _IndexKey | _TextsKey
"""What tells one state of a corpus from another."""


def key_of(path: str, run: Path | None, max_tokens: int) -> SearchedKey:
    """The corpus or index at `path` as it is on disk now, without reading its texts.

    `run` is the queried one, by which its own data is known.

    Raises:
        DataError: the path cannot be understood.
    """
    from nexus_engine.data.questions.loading import spec_path
    from nexus_engine.indexing.index_card import CARD_FILE, is_index

    place = spec_path(path)
    if is_index(place):
        return _IndexKey(place, stamp_of(place / CARD_FILE))
    choice = choose_data([] if run is None else [str(run)], path, None)
    return _TextsKey(choice, _files(place), max_tokens)


def open_searched(key: SearchedKey, check: Check) -> Searched:
    """What `key` tells of.

    Raises:
        DataError: it cannot be used.
    """
    return SearchedIndex(key) if isinstance(key, _IndexKey) else SearchedTexts(key, check)


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
