"""The texts of an index in `texts.db`: passages, their documents, and the words by FTS5.

A passage's id, from 0, is its row in the file of vectors. FTS5 keeps only which passages hold a
word, without counts or places: 18 MB for a million sentences. What BM25 needs besides is read from
the texts of the best candidates.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from nexus_engine.indexing.corpus_stream import IndexedPassage
from nexus_engine.indexing.index_card import IndexCard
from nexus_engine.indexing.tables import (
    NUMBER,
    START,
    TEXT,
    WORDS,
    checked,
    damaged,
    open_database,
    sqlite_errors,
)
from nexus_engine.indexing.words import words_of

__all__ = ["Document", "Passage", "TextStore", "stored"]

FREQUENT = 10_000
"""Words in at least this many passages have their number stored: counting takes milliseconds."""
MAX_VARIABLES = 500
"""Values in a statement of SQL."""
GONE = ""
"""In place of the digest of a file that has left its folder."""
DOCUMENT = (NUMBER, TEXT, TEXT, TEXT, NUMBER, NUMBER, NUMBER)
"""Types of the columns that a `Document` is made of."""
Ids = npt.NDArray[np.int64]


class Document(NamedTuple):
    """A document of an index: `passages` of them from the id `first` on."""

    id: int
    folder: str
    name: str
    digest: str
    first: int
    passages: int
    is_complete: bool

    @property
    def is_gone(self) -> bool:
        """Whether this says that the file of this name has left its folder."""
        return self.digest == GONE


class Passage(NamedTuple):
    """A stored passage. A `start` of None is its number in its document, from 1."""

    id: int
    text: str
    start: int | None
    heading: str


class TextStore:
    """The database in a file. Close it, or use it as a context manager.

    `database` and `errors` serve the tables of `question_store.py` in the same file.

    Raises:
        DataError: the file is missing, or no database of an index.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self._path = path
        self.database = open_database(path, create=create)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; an open transaction is undone."""
        self.database.close()

    def errors(self) -> contextlib.AbstractContextManager[None]:
        """A context that turns SQLite's errors into those of the project."""
        return sqlite_errors(self._path)

    def check(self, card: IndexCard) -> None:
        """Check that the passages are those that `card` tells of, or more by an unfinished `add`.

        Raises:
            DataError: they are not.
        """
        there = self.next_id()
        if there < card.passages:
            raise damaged(self._path, "passages are missing")
        if there > card.passages and not self.has_documents_after(card.generation):
            raise damaged(self._path, "it has more passages than index.json says")

    # Writing

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside become part of the file together, or none does."""
        with self.errors():
            self.database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self.database.in_transaction:  # a full disk has ended it already
                    self.database.execute("ROLLBACK")
                raise
            self.database.execute("COMMIT")

    def add_document(self, folder: str, name: str, digest: str, generation: int) -> Document:
        """A new document, whose passages follow those that are there."""
        first = self.next_id()
        row = self.database.execute(
            "INSERT INTO documents (folder, name, digest, first, passages, is_complete, generation)"
            " VALUES (?, ?, ?, ?, 0, 0, ?)",
            (stored(folder), stored(name), digest, first, generation),
        )
        return Document(int(row.lastrowid or 0), folder, name, digest, first, 0, False)

    def add_passages(self, document: Document, passages: Sequence[IndexedPassage]) -> Document:
        """The document with `passages` behind its last one."""
        first = document.first + document.passages
        texts = [stored(passage.text) for passage in passages]
        words = [words_of(text) for text in texts]
        self.database.executemany(
            "INSERT INTO passages VALUES (?, ?, ?, ?)",
            (
                (
                    first + i,
                    texts[i],
                    # Lines without a gap: nothing is stored, 3 MB less for a million.
                    None if each.start == document.passages + i + 1 else each.start,
                    stored(each.heading) or None,
                )
                for i, each in enumerate(passages)
            ),
        )
        self.database.executemany(
            "INSERT INTO words (rowid, text) VALUES (?, ?)",
            ((first + i, _indexed(each)) for i, each in enumerate(words)),
        )
        self._count_words(sum(map(len, words)))
        return self._updated(document._replace(passages=document.passages + len(passages)))

    def complete(self, document: Document) -> None:
        """Note that all passages of the document are there."""
        self._updated(document._replace(is_complete=True))

    def drop_missing(self, folder: str, present: Container[str], generation: int) -> int:
        """Note that the documents of `folder` are gone from `generation` on but for `present`.

        Returns how many are. A later document of the same name is a new one.
        """
        with self.errors():
            rows = self.database.execute(
                "SELECT id, folder, name, digest, first, passages, is_complete FROM documents"
                " WHERE id IN (SELECT max(id) FROM documents WHERE folder = ? GROUP BY name)",
                (stored(folder),),
            )
            documents = list(itertools.starmap(Document, checked(rows, *DOCUMENT)))
        gone = 0
        for document in documents:
            if document.is_gone or document.name in present:
                continue
            self.replace_older(document, generation)
            self.complete(self.add_document(document.folder, document.name, GONE, generation))
            gone += 1
        return gone

    def replace_older(self, document: Document, generation: int) -> None:
        """Note that `document` is out of date from `generation` on."""
        self.database.execute(
            "INSERT INTO replaced SELECT ?1, ?2, ?3 WHERE NOT EXISTS"
            " (SELECT 1 FROM replaced WHERE first = ?1 AND passages = ?2)",
            (document.first, document.passages, generation),
        )

    def drop_from(self, first: int, generation: int) -> None:
        """Remove the passages from the id `first` on, with their documents of `generation`."""
        for start in range(first, self.next_id(), MAX_VARIABLES):
            found = self.database.execute(
                "SELECT id, text FROM passages WHERE id >= ? AND id < ?",
                (start, start + MAX_VARIABLES),
            )
            rows = [(id_, words_of(text)) for id_, text in checked(found, NUMBER, TEXT)]
            self.database.executemany(
                "INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)",
                ((id_, _indexed(words)) for id_, words in rows),
            )
            self._count_words(-sum(len(words) for _, words in rows))
        self.database.execute("DELETE FROM passages WHERE id >= ?", (first,))
        # One of an earlier generation without a passage may stand there too.
        self.database.execute(
            "DELETE FROM documents WHERE first >= ? AND generation >= ?", (first, generation)
        )

    def undo_after(self, generation: int, passages: int) -> None:
        """Remove what came after `generation`, in which there were `passages` passages."""
        self.drop_from(passages, generation + 1)
        self.database.execute("DELETE FROM replaced WHERE generation > ?", (generation,))

    def count_frequent(self) -> None:
        """Store in how many passages each frequent word stands."""
        self.database.execute("DELETE FROM frequent")
        self.database.execute(
            "INSERT INTO frequent SELECT term, doc FROM vocabulary WHERE doc >= ?", (FREQUENT,)
        )

    def compact(self) -> None:
        """Merge the parts of the word index and free unused pages."""
        with self.errors():
            self.database.execute("INSERT INTO words (words) VALUES ('optimize')")
            self.database.execute("VACUUM")

    def _count_words(self, more: int) -> None:
        self.database.execute("UPDATE facts SET value = value + ? WHERE name = 'words'", (more,))

    def _updated(self, document: Document) -> Document:
        self.database.execute(
            "UPDATE documents SET passages = ?, is_complete = ? WHERE id = ?",
            (document.passages, document.is_complete, document.id),
        )
        return document

    # Reading

    def next_id(self) -> int:
        """The number of passages, those of an unfinished `add` included."""
        return self._number("SELECT coalesce(max(id), -1) + 1 FROM passages")

    def words(self) -> int:
        """Words of all passages."""
        return self._number("SELECT value FROM facts WHERE name = 'words'")

    def text_bytes(self) -> int:
        """Bytes of all texts as UTF-8."""
        return self._number("SELECT coalesce(sum(length(CAST(text AS BLOB))), 0) FROM passages")

    def document_named(self, folder: str, name: str) -> Document | None:
        """The latest state of the document; None if it was never read."""
        with self.errors():
            rows = self.database.execute(
                "SELECT id, folder, name, digest, first, passages, is_complete FROM documents"
                " WHERE name = ? AND folder = ? ORDER BY id DESC LIMIT 1",
                (stored(name), stored(folder)),
            )
            return next(itertools.starmap(Document, checked(rows, *DOCUMENT)), None)

    def documents(self, generation: int) -> list[Document]:
        """The documents up to `generation`, replaced ones included."""
        with self.errors():
            rows = self.database.execute(
                "SELECT id, folder, name, digest, first, passages, is_complete FROM documents"
                " WHERE generation <= ? ORDER BY first",
                (generation,),
            )
            return list(itertools.starmap(Document, checked(rows, *DOCUMENT)))

    def has_documents_after(self, generation: int) -> bool:
        """Whether an addition after `generation` read a document."""
        with self.errors():
            (count,) = self.database.execute(
                "SELECT count(*) FROM documents WHERE generation > ?", (generation,)
            ).fetchone()
        return bool(count)

    def document_of(self, passage: int) -> Document | None:
        """The document with the passage of this id."""
        with self.errors():
            rows = self.database.execute(
                "SELECT id, folder, name, digest, first, passages, is_complete FROM documents"
                " WHERE first <= ? AND passages > 0 ORDER BY first DESC LIMIT 1",
                (passage,),
            )
            return next(itertools.starmap(Document, checked(rows, *DOCUMENT)), None)

    def replaced(self, generation: int) -> list[tuple[int, int]]:
        """Ids (first, number) of passages that are out of date in `generation`."""
        with self.errors():
            rows = self.database.execute(
                "SELECT first, passages FROM replaced WHERE generation <= ?", (generation,)
            )
            return checked(rows, NUMBER, NUMBER)

    def texts(self, first: int, stop: int) -> list[str]:
        """The texts of the passages `first` to `stop` - 1."""
        with self.errors():
            rows = self.database.execute(
                "SELECT text FROM passages WHERE id >= ? AND id < ? ORDER BY id", (first, stop)
            )
            texts = [text for (text,) in checked(rows, TEXT)]
        if len(texts) != stop - first:
            raise damaged(self._path, "passages are missing")
        return texts

    def passages(self, ids: Ids) -> dict[int, Passage]:
        """The passages with these ids (n,)."""
        stored: dict[int, Passage] = {}
        listed = ids.tolist()
        with self.errors():
            for start in range(0, len(listed), MAX_VARIABLES):
                part = listed[start : start + MAX_VARIABLES]
                marks = ",".join("?" * len(part))
                rows = self.database.execute(
                    f"SELECT id, text, start, heading FROM passages WHERE id IN ({marks})", part
                )
                for id_, text, at, heading in checked(rows, NUMBER, TEXT, START, WORDS):
                    stored[id_] = Passage(id_, text, at, heading or "")
        return stored

    def frequent(self, words: Sequence[str]) -> dict[str, int]:
        """Those of `words` that are frequent, with the number of passages that hold them."""
        counts: dict[str, int] = {}
        with self.errors():
            for word in words:
                rows = self.database.execute(
                    "SELECT passages FROM frequent WHERE word = ?", (word,)
                )
                for (passages,) in checked(rows, NUMBER):
                    counts[word] = passages
        return counts

    def passages_with(self, words: Sequence[str], limit: int) -> Ids:
        """Ids of passages that hold all of `words`, rising, at most `limit`."""
        # A string of ids takes a fifth of the time of as many rows.
        match = " AND ".join(f'"{word}"' for word in words)
        with self.errors():
            (listed,) = self.database.execute(
                "SELECT group_concat(id) FROM"
                " (SELECT rowid AS id FROM words WHERE words MATCH ? LIMIT ?)",
                (match, limit),
            ).fetchone()
        if not listed:
            return np.zeros(0, np.int64)
        return np.fromstring(listed, np.int64, sep=",")

    def _number(self, statement: str) -> int:
        with self.errors():
            row = self.database.execute(statement).fetchone()
            if row is None:
                raise damaged(self._path, "a number is missing")
            [(number,)] = checked([row], NUMBER)
        return int(number)


def _indexed(words: Sequence[str]) -> str:
    """What FTS5 gets of a passage: each word once."""
    return " ".join(dict.fromkeys(words))


def stored(text: str) -> str:
    """`text` as SQLite takes it: a lone half of a character becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")
