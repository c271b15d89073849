"""The database of an index is opened only with the tables of one, and tells no text in an error."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from nexus_engine.errors import DataError, ResourceError
from nexus_engine.indexing.tables import (
    NUMBER,
    QUESTION_TABLES,
    TEXT,
    checked,
    open_database,
    sqlite_errors,
)


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "texts.db"
    open_database(found, create=True).close()
    return found


def change(path, *statements):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def test_an_index_with_questions_and_one_without_are_opened(path):
    open_database(path).close()
    change(path, *QUESTION_TABLES)
    open_database(path).close()
    change(path, "ANALYZE")
    open_database(path).close()


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("DROP INDEX documents_by_first", "documents_by_first"),
        ("ALTER TABLE passages ADD COLUMN more TEXT", "passages"),
        ("CREATE TABLE people (name TEXT)", "people"),
        ("CREATE VIEW every AS SELECT * FROM passages", "every"),
        ("CREATE TRIGGER t AFTER INSERT ON passages BEGIN DELETE FROM facts; END", "t"),
        (QUESTION_TABLES[0], "questions"),
    ],
)
def test_other_tables_are_refused(path, statement, name):
    change(path, statement)
    with pytest.raises(DataError, match=rf"damaged \({name}: not as in an index\)"):
        open_database(path)


def test_a_file_that_is_no_database_is_refused_and_stays(path):
    path.write_bytes(b"my notes")
    for create in (False, True):
        with pytest.raises(DataError, match="not a database"):
            open_database(path, create=create)
    assert path.read_bytes() == b"my notes"


def test_a_database_that_writes_ahead_is_refused_before_it_writes(path):
    change(path, "PRAGMA journal_mode = WAL")
    with pytest.raises(DataError, match="its journal"):
        open_database(path)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_text_that_is_not_utf8_is_not_quoted(path):
    with contextlib.closing(open_database(path)) as database:
        database.execute("INSERT INTO passages VALUES (0, CAST('secret' || x'ff' AS TEXT), 1, '')")
        with pytest.raises(DataError) as caught, sqlite_errors(path):
            database.execute("SELECT text FROM passages").fetchall()
    assert "secret" not in str(caught.value)
    assert "a text is not UTF-8" in str(caught.value)


@pytest.mark.parametrize("value", [-1, "1", None, b"1", 1.5, float("inf")])
def test_a_number_is_whole_and_not_negative(path, value):
    with pytest.raises(DataError, match="another type"), sqlite_errors(path):
        checked([(value, "x")], NUMBER, TEXT)


def test_a_lock_and_a_full_disk_are_shortages(path):
    with contextlib.closing(open_database(path)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with (
            contextlib.closing(sqlite3.connect(path, timeout=0)) as other,
            pytest.raises(ResourceError, match="another process"),
            sqlite_errors(path),
        ):
            other.execute("SELECT * FROM facts")
    with contextlib.closing(open_database(path)) as database:
        database.execute("PRAGMA max_page_count = 1")
        with pytest.raises(ResourceError, match="the disk is full"), sqlite_errors(path):
            database.execute("INSERT INTO passages VALUES (0, hex(zeroblob(4000000)), NULL, NULL)")
