"""What a stranger, or a bad disk, can make of the files of an index: changes to a copy of it."""

from __future__ import annotations

import json
import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from reliability.hostile_files import PLACES, VALUES, Change, Outside, _json, _numbers

DATABASE = "texts.db"
CARD = "index.json"
JOBS = ("job.json", "refresh.json", "base-job.json", "base-refresh.json")
SECRET = "Zebu"
"""Stands in a text that no message may quote."""

Apply = Callable[[Path, Outside], None]


def _sql(*statements: str) -> Apply:
    def apply(path: Path, outside: Outside) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            for statement in statements:
                database.execute(statement)

    return apply


def _foreign(path: Path, outside: Outside) -> None:
    path.unlink()
    _sql("CREATE TABLE people (name TEXT, age INTEGER)", "INSERT INTO people VALUES ('x', 1)")(
        path, outside
    )


def _cut(share: float, more: int = 0) -> Apply:
    def apply(path: Path, outside: Outside) -> None:
        os.truncate(path, int(path.stat().st_size * share) + more)

    return apply


def _recreated(table: str, columns: str) -> Apply:
    return _sql(f"DROP TABLE {table}", f"CREATE TABLE {table} ({columns})")


def _bytes_at(place: int, content: bytes) -> Apply:
    def apply(path: Path, outside: Outside) -> None:
        with path.open("r+b") as file:
            file.seek(place)
            file.write(content)

    return apply


def _linked(name: str) -> Apply:
    def apply(path: Path, outside: Outside) -> None:
        path.with_name(name).symlink_to(outside.canary)

    return apply


DAMAGED_TABLES: dict[str, Apply] = {
    "another program's database": _foreign,
    "without passages": _sql("DROP TABLE passages"),
    "without answers": _sql("DROP TABLE answers"),
    "without a column": _sql("ALTER TABLE documents DROP COLUMN digest"),
    "with another column": _sql("ALTER TABLE passages ADD COLUMN more TEXT"),
    "without an index": _sql("DROP INDEX documents_by_name"),
    "with a trigger": _sql(
        "CREATE TRIGGER t AFTER INSERT ON documents BEGIN DELETE FROM passages; END"
    ),
    "with a view": _sql(
        "DROP TABLE replaced", "CREATE VIEW replaced AS SELECT 0 first, 9 passages, 0 generation"
    ),
    "words that are a table": _sql("DROP TABLE vocabulary", "DROP TABLE words",
                                   "CREATE TABLE words (text TEXT)"),
    "with WAL": _sql("PRAGMA journal_mode = WAL"),
    "cut in half": _cut(0.5),
    "cut by a page": _cut(1, -16384),
    "cut in its header": _cut(0, 50),
    "more pages in its header": _bytes_at(28, b"\x7f\xff\xff\xff"),
    "zeros in the middle": _bytes_at(3 * 16384, bytes(16384)),
    "a link as journal": _linked(f"{DATABASE}-journal"),
    "a link as WAL": _linked(f"{DATABASE}-wal"),
}  # fmt: skip
"""Each is refused by every command but those that need not look there."""
WRONG_VALUES: dict[str, Apply] = {
    "a text that is bytes": _sql("UPDATE passages SET text = x'ff00' WHERE id = 3"),
    "a text that is not UTF-8": _sql(
        f"UPDATE passages SET text = CAST('{SECRET}' || x'ff' AS TEXT) WHERE id = 3"
    ),
    "a heading that is bytes": _sql("UPDATE passages SET heading = x'00'"),
    "a start that is text": _sql("UPDATE passages SET start = 'x'"),
    "ids with a gap": _sql("DELETE FROM passages WHERE id = 3"),
    "ids beyond all": _sql("UPDATE passages SET id = 1 << 50 WHERE id = 3"),
    "ids below zero": _sql("UPDATE passages SET id = -3 WHERE id = 3"),
    "no passages": _sql("DELETE FROM passages"),
    "a first that is text": _sql("UPDATE documents SET first = 'x'"),
    "a first below zero": _sql("UPDATE documents SET first = -5"),
    "a name that is bytes": _sql("UPDATE documents SET name = x'2f'"),
    "a name that is long": _sql("UPDATE documents SET name = hex(zeroblob(200000))"),
    "passages beyond all": _sql("UPDATE documents SET passages = 1 << 60"),
    "no documents": _sql("DELETE FROM documents"),
    "documents of tomorrow": _sql("UPDATE documents SET generation = 1 << 60"),
    "words that are text": _sql("UPDATE facts SET value = 'many'"),
    "words below zero": _sql("UPDATE facts SET value = -1"),
    "no words": _sql("DELETE FROM facts"),
    "replaced below zero": _sql("INSERT INTO replaced VALUES (-9, 5, 0)"),
    "replaced text": _sql("INSERT INTO replaced VALUES ('x', x'00', 0)"),
    "replaced beyond all": _sql("INSERT INTO replaced VALUES (0, 1 << 60, 0)"),
    "frequent text": _sql("INSERT INTO frequent VALUES ('man', 'x'), ('guitar', x'00')"),
    "frequent below zero": _sql("INSERT INTO frequent VALUES ('man', -5), ('guitar', -1)"),
    "frequent beyond all": _sql("INSERT INTO frequent VALUES ('man', 1 << 60)"),
    "words of other passages": _sql(
        "INSERT INTO words (rowid, text) VALUES (-7, 'man guitar'), (1 << 60, 'man guitar')"
    ),
    "a question that is bytes": _sql("UPDATE questions SET text = x'ff'"),
    "a split of no name": _sql("UPDATE questions SET split = x'ff'"),
    "answers beyond all": _sql("UPDATE OR REPLACE answering SET passage = 1 << 60"),
    "answers below zero": _sql("UPDATE OR REPLACE answering SET passage = -4"),
    "answers that are text": _sql("UPDATE OR REPLACE answering SET passage = 'x'"),
    "a gain that is text": _sql("UPDATE answering SET gain = 'x'"),
    "an infinite gain": _sql("UPDATE answering SET gain = 9e999"),
    "keys that are text": _sql("UPDATE OR REPLACE answers SET text_key = 'x'"),
}
"""Rows that no index has. A command that meets one refuses it; one that does not may go on."""


def _card(**values: Any) -> Apply:
    def apply(path: Path, outside: Outside) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return apply


CARDS: dict[str, Apply] = {
    "fewer numbers": _card(dims=47),
    "more numbers": _card(dims=49),
    "f32": _card(dtype="f32"),
    "binary": _card(dtype="binary"),
    "another type": _card(dtype="int4"),
    "fewer passages": _card(passages=20),
    "more passages": _card(passages=200),
    "no passages": _card(passages=0),
    "no scale": _card(scale=None),
    "a scale of 0": _card(scale=0),
    "vectors elsewhere": _card(vectors="../outside/canary"),
    "vectors that are texts": _card(vectors=DATABASE),
    "without base vectors": _card(base=None),
    "a later format": _card(format=3),
    "another field": _card(more=1),
}


def _job(**values: Any) -> Apply:
    """A record of the addition that `nexus index add` is about to make, changed."""

    def apply(path: Path, outside: Outside) -> None:
        order = json.loads(path.with_name("order").read_text())
        path.write_text(json.dumps({**order, **values}))

    return apply


HOSTILE_JOBS: dict[str, Apply] = {
    "a file elsewhere": _job(vectors="../outside/canary"),
    "a file elsewhere, from its start": _job(vectors="../outside/canary", rows=0),
    "the database": _job(vectors=DATABASE),
    "rows beyond all": _job(rows=10**30),
    "rows below zero": _job(rows=-5),
    "rows of no passage": _job(rows=10_000),
    "fewer rows than the index": _job(rows=1),
    "a scale of its own": _job(scale=1e300),
    "endless seconds": _job(seconds=1e308, embedded=10**300),
}


def changes(index: Path, flips: int = 30) -> dict[str, list[Change]]:
    """All changes of the index in `index`, by kind."""
    vectors = [name for name in ("vectors-0001", "base-0001") if (index / name).exists()]
    model = sorted(str(p.relative_to(index)) for p in index.glob("model-*/*"))
    card = json.loads((index / CARD).read_text())
    numbers = [
        Change(CARD, f"{'/'.join(map(str, at))} is {str(new)[:12]}", _json(CARD, at, new))
        for at in _numbers(card)
        for new in VALUES
    ]
    cuts = {"cut": _cut(1, -1), "half": _cut(0.5), "longer": _cut(1, 48), "a byte more": _cut(1, 1)}
    return {
        "places": [
            Change(name, what, apply)
            for name in (CARD, DATABASE, *vectors, *model, *JOBS, "lock")
            for what, apply in PLACES.items()
        ],
        "tables": [Change(DATABASE, what, apply) for what, apply in DAMAGED_TABLES.items()],
        "values": [Change(DATABASE, what, apply) for what, apply in WRONG_VALUES.items()],
        "vectors": [Change(name, what, apply) for name in vectors for what, apply in cuts.items()],
        "cards": [Change(CARD, what, apply) for what, apply in CARDS.items()],
        "numbers": numbers,
        "jobs": [Change("job.json", what, apply) for what, apply in HOSTILE_JOBS.items()],
        "flips": [Change(DATABASE, f"flips {n}", _flipped(n)) for n in range(flips)],
    }


def _flipped(seed: int) -> Apply:
    def apply(path: Path, outside: Outside) -> None:
        chance, content = random.Random(seed), bytearray(path.read_bytes())
        for _ in range(chance.randrange(1, 40)):
            content[chance.randrange(100, len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)

    return apply
