"""The tables of `texts.db`, how the file is opened and checked, and SQLite's errors in one line.

An index may be damaged, or somebody else's. So the file's tables must be those of an index, word
for word, before any statement reads them: no trigger, no view, no other column. SQLite keeps any
type in any column, so values are checked as they are read.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import math
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import NoneType
from typing import Any

from nexus_engine.disk.files import create_file
from nexus_engine.disk.regular_files import open_regular
from nexus_engine.errors import DataError, NexusError, ResourceError, one_line

__all__ = [
    "BYTES",
    "NUMBER",
    "QUESTION_TABLES",
    "REAL",
    "START",
    "TEXT",
    "WORDS",
    "checked",
    "damaged",
    "has_question_tables",
    "open_database",
    "sqlite_errors",
]

TABLES = """
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
QUESTION_TABLES = (
    "CREATE TABLE IF NOT EXISTS question_sets (id INTEGER PRIMARY KEY, folder TEXT NOT NULL,"
    " name TEXT NOT NULL, digest TEXT NOT NULL, generation INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS questions (id INTEGER PRIMARY KEY, question_set INTEGER NOT NULL,"
    " split TEXT NOT NULL, text TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS answers (question INTEGER NOT NULL, text_key BLOB NOT NULL,"
    " gain REAL NOT NULL, PRIMARY KEY (question, text_key)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS answering (question INTEGER NOT NULL, passage INTEGER NOT NULL,"
    " gain REAL NOT NULL, PRIMARY KEY (question, passage)) WITHOUT ROWID",
)
"""An index of format 1 lacks these."""
SHADOW = "words_"
"""FTS5 names its own tables so, and makes them as its version does."""
PAGE_BYTES = 16384
"""Larger pages waste less at their ends: 1 MB for a million sentences."""
WAIT_SECONDS = 10.0
"""For another process that is just committing."""
MAGIC = b"SQLite format 3\0"
JOURNALS = slice(18, 20)
"""Bytes of the header, both 1: rollback journals. Others make SQLite write as soon as it reads."""
NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)

TEXT: tuple[type, ...] = (str,)
WORDS: tuple[type, ...] = (str, NoneType)
NUMBER: tuple[type, ...] = (int,)
"""0 or more."""
START: tuple[type, ...] = (int, NoneType)
REAL: tuple[type, ...] = (float, int)
BYTES: tuple[type, ...] = (bytes,)


class _WrongValueError(sqlite3.DatabaseError):
    """A value that no index holds."""


def damaged(path: Path, reason: object) -> DataError:
    """The refusal of a file of an index that cannot be used."""
    return DataError(f"{one_line(path)}: damaged ({one_line(reason, 120)}); build the index again")


def open_database(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """The database of an index at `path`; with `create` a new one if there is none, or no table.

    Where the file may only be read, so may the database.

    Raises:
        DataError: the file is missing, or no database of an index.
        ResourceError: the disk is full, or another process is writing for too long.
    """
    is_new = create and not os.path.lexists(path)
    place, is_uri = str(path), False
    try:
        if is_new:
            os.close(create_file(path))
        else:
            try:
                handle = open_regular(path, os.O_RDWR)
            except OSError as error:
                if create or error.errno not in NOT_WRITABLE:
                    raise
                handle = open_regular(path)
                place, is_uri = f"{path.absolute().as_uri()}?mode=ro", True
            try:
                header = os.pread(handle, 100, 0)
            finally:
                os.close(handle)
            if header or not create:
                _check_header(path, header)
    except OSError as error:
        raise DataError(f"{one_line(path)}: {error.strerror}; build the index again") from None
    with sqlite_errors(path):
        database = sqlite3.connect(
            place, isolation_level=None, timeout=WAIT_SECONDS, check_same_thread=False, uri=is_uri
        )
    try:
        with sqlite_errors(path):
            # Texts never go to a temporary file elsewhere on the disk.
            database.execute("PRAGMA temp_store = MEMORY")
            if create and not _objects(database):
                database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
                database.executescript(f"BEGIN; {TABLES} COMMIT;")
            _check_tables(path, _objects(database))
    except BaseException:
        database.close()
        raise
    return database


def _check_header(path: Path, header: bytes) -> None:
    if not header.startswith(MAGIC):
        raise damaged(path, "not a database")
    if header[JOURNALS] != b"\1\1":
        raise damaged(path, "its journal is not of an index")


def _objects(database: sqlite3.Connection) -> dict[str, str]:
    """What makes each table, index, view and trigger, by its name; SQLite's own are left out."""
    rows = database.execute("SELECT name, sql FROM sqlite_schema").fetchall()
    return {
        str(name): "" if str(name).startswith(SHADOW) else " ".join(str(sql).split())
        for name, sql in rows
        if not str(name).startswith("sqlite_")
    }


@functools.cache
def _known() -> tuple[dict[str, str], dict[str, str]]:
    """What makes the tables of an index, without and with those of questions."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.executescript(TABLES)
        first = _objects(database)
        for statement in QUESTION_TABLES:
            database.execute(statement)
        return first, _objects(database)


def _check_tables(path: Path, found: dict[str, str]) -> None:
    if found in _known():
        return
    wanted = _known()[1]
    differing = [name for name in found if wanted.get(name) != found[name]]
    differing += [name for name in wanted if name not in found]
    raise damaged(path, f"{differing[0]}: not as in an index")


def has_question_tables(database: sqlite3.Connection) -> bool:
    """Whether the tables of questions are there."""
    (found,) = database.execute(
        "SELECT count(*) FROM sqlite_schema WHERE name = 'answering'"
    ).fetchone()
    return bool(found)


@contextlib.contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """SQLite's errors about the file `path` as those of the project.

    Raises:
        DataError: the file is damaged, or may not be written.
        ResourceError: the disk is full or fails, or another process is writing.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _told(path, error) from None


def _told(path: Path, error: sqlite3.DatabaseError) -> NexusError:
    name = one_line(path)
    if isinstance(error, _WrongValueError):
        return damaged(path, error)
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # Python's own; its message may hold a text
        return damaged(path, "a text is not UTF-8")
    match code & 0xFF:
        case sqlite3.SQLITE_FULL:
            return ResourceError(f"{name}: the disk is full; make room and run the command again")
        case sqlite3.SQLITE_IOERR:
            return ResourceError(f"{name}: the disk failed ({error}); run the command again")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return ResourceError(f"{name}: another process is writing; try again")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN:
            return DataError(f"{name}: cannot be written; see who may write it and its folder")
    return damaged(path, error)


def checked(rows: Iterable[tuple[Any, ...]], *kinds: tuple[type, ...]) -> list[Any]:
    """The `rows`, whose values must be of these `kinds`; use it inside `sqlite_errors`.

    Numbers must be finite and not negative.
    """
    found = list(rows)
    for row in found:
        for value, kind in zip(row, kinds, strict=True):
            is_sound = isinstance(value, kind)
            if is_sound and isinstance(value, int | float):
                is_sound = 0 <= value < math.inf
            if not is_sound:
                raise _WrongValueError("a value is of another type or out of range")
    return found
