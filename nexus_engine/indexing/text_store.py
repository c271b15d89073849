"""The texts of an index in `texts.db`: passages, their documents, and the words by FTS5.

A passage's id, from 0, is its row in the file of vectors. FTS5 keeps only which passages hold a
word, without counts or places: 18 MB for a million sentences. What BM25 needs besides is read from
the texts of the best candidates.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from nexus_engine.disk.files import create_file
from nexus_engine.disk.regular_files import open_regular
from nexus_engine.errors import DataError, ResourceError, one_line
from nexus_engine.indexing.corpus_stream import IndexedPassage
from nexus_engine.indexing.words import words_of

__all__ = ["Document", "Passage", "TextStore", "stored"]

SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO facts VALUES ('words', 0);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY, folder TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL,
    first INTEGER NOT NULL, passages INTEGER NOT NULL, is_complete INTEGER NOT NULL,
    generation INTEGER NOT NULL
);
CREATE INDEX documents_by_first ON documents (first);
CREATE INDEX documents_by_name ON documents (name);
CREATE TABLE replaced (
    first INTEGER NOT NULL, passages INTEGER NOT NULL, generation INTEGER NOT NULL
);
CREATE TABLE passages (id INTEGER PRIMARY KEY, text TEXT NOT NULL, start INTEGER, heading TEXT);
CREATE VIRTUAL TABLE words USING fts5(
    text, content='', detail=none, columnsize=0, tokenize='ascii'
);
CREATE VIRTUAL TABLE vocabulary USING fts5vocab(words, row);
CREATE TABLE frequent (word TEXT PRIMARY KEY, passages INTEGER NOT NULL) WITHOUT ROWID;
"""
PAGE_BYTES = 16384
"""Larger pages waste less at their ends: 1 MB for a million sentences."""
WAIT_SECONDS = 10.0
"""For another process that is just committing."""
FREQUENT = 10_000
"""Words in at least this many passages have their number stored: counting takes milliseconds."""
MAX_VARIABLES = 500
"""Values in a statement of SQL."""
GONE = ""
"""In place of the digest of a file that has left its folder."""
DAMAGED = "damaged ({}); build the index again"
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
        DataError: the file is missing, or not such a database.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self._path = path
        is_new = create and not os.path.lexists(path)
        try:
            os.close(create_file(path) if is_new else open_regular(path, os.O_RDWR))
        except OSError as error:
            raise DataError(f"{one_line(path)}: {error.strerror}; build the index again") from None
        self.database = sqlite3.connect(
            path, isolation_level=None, timeout=WAIT_SECONDS, check_same_thread=False
        )
        with self.errors():
            # Texts never go to a temporary file elsewhere on the disk.
            self.database.execute("PRAGMA temp_store = MEMORY")
            if is_new or (create and not self._has_tables()):
                self.database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
                self.database.executescript(f"BEGIN; {SCHEMA} COMMIT;")
            self.database.execute("SELECT count(*) FROM documents").fetchone()

    def _has_tables(self) -> bool:
        return bool(self.database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; an open transaction is undone."""
        self.database.close()

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """SQLite's errors inside as those of the project."""
        try:
            yield
        except sqlite3.OperationalError as error:
            message = str(error)
            if "disk is full" in message:
                raise ResourceError(
                    f"{one_line(self._path)}: the disk is full; make room and run the command again"
                ) from None
            if "locked" in message:
                raise ResourceError(
                    f"{one_line(self._path)}: another process is writing; try again"
                ) from None
            raise DataError(f"{one_line(self._path)}: {DAMAGED.format(message)}") from None
        except sqlite3.DatabaseError as error:
            raise DataError(f"{one_line(self._path)}: {DAMAGED.format(error)}") from None

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
            ).fetchall()
        gone = 0
        for document in itertools.starmap(Document, rows):
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
            rows = [
                (id_, words_of(text))
                for id_, text in self.database.execute(
                    "SELECT id, text FROM passages WHERE id >= ? AND id < ?",
                    (start, start + MAX_VARIABLES),
                )
            ]
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
            row = self.database.execute(
                "SELECT id, folder, name, digest, first, passages, is_complete FROM documents"
                " WHERE name = ? AND folder = ? ORDER BY id DESC LIMIT 1",
                (stored(name), stored(folder)),
            ).fetchone()
        return None if row is None else Document(*row)

    def documents(self, generation: int) -> list[Document]:
        """The documents up to `generation`, replaced ones included."""
        with self.errors():
            rows = self.database.execute(
                "SELECT id, folder, name, digest, first, passages, is_complete FROM documents"
                " WHERE generation <= ? ORDER BY first",
                (generation,),
            ).fetchall()
        return [Document(*row) for row in rows]

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
            row = self.database.execute(
                "SELECT id, folder, name, digest, first, passages, is_complete FROM documents"
                " WHERE first <= ? AND passages > 0 ORDER BY first DESC LIMIT 1",
                (passage,),
            ).fetchone()
        return None if row is None else Document(*row)

    def replaced(self, generation: int) -> list[tuple[int, int]]:
        """Ids (first, number) of passages that are out of date in `generation`."""
        with self.errors():
            return self.database.execute(
                "SELECT first, passages FROM replaced WHERE generation <= ?", (generation,)
            ).fetchall()

    def texts(self, first: int, stop: int) -> list[str]:
        """The texts of the passages `first` to `stop` - 1."""
        with self.errors():
            rows = self.database.execute(
                "SELECT text FROM passages WHERE id >= ? AND id < ? ORDER BY id", (first, stop)
            ).fetchall()
        return [text for (text,) in rows]

    def passages(self, ids: Ids) -> dict[int, Passage]:
        """The passages with these ids (n,)."""
        stored: dict[int, Passage] = {}
        listed = ids.tolist()
        with self.errors():
            for start in range(0, len(listed), MAX_VARIABLES):
                part = listed[start : start + MAX_VARIABLES]
                marks = ",".join("?" * len(part))
                for id_, text, at, heading in self.database.execute(
                    f"SELECT id, text, start, heading FROM passages WHERE id IN ({marks})", part
                ):
                    stored[id_] = Passage(id_, text, at, heading or "")
        return stored

    def frequent(self, words: Sequence[str]) -> dict[str, int]:
        """Those of `words` that are frequent, with the number of passages that hold them."""
        counts: dict[str, int] = {}
        with self.errors():
            for word in words:
                row = self.database.execute(
                    "SELECT passages FROM frequent WHERE word = ?", (word,)
                ).fetchone()
                if row is not None:
                    counts[word] = row[0]
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
            return int(self.database.execute(statement).fetchone()[0])


def _indexed(words: Sequence[str]) -> str:
    """What FTS5 gets of a passage: each word once."""
    return " ".join(dict.fromkeys(words))


def stored(text: str) -> str:
    """`text` as SQLite takes it: a lone half of a character becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")
