"""Small corpora and indexes for tests of the index."""

from __future__ import annotations

import csv
import json
import sqlite3
from pathlib import Path

from nexus_engine.indexing.building import Blocks

DEMO = Path(__file__).resolve().parents[2] / "assets" / "demo" / "train.csv"
SMALL = Blocks(texts=16, passages=12)
GUIDES = {
    "guides/leave.md": "# Leave\n\nParental leave lasts for forty days.\n\n# Sickness\n\nCall the "
    "office before nine.\n",
    "guides/travel.md": "# Travel\n\nTrains are preferred to planes.\n",
    "rules/gifts.txt": "Gifts\n\nNo gift above ten pounds may be taken.\n",
    "empty.txt": "",
}


def write_guides(folder: Path) -> Path:
    """Three documents with four passages, and an empty one."""
    for name, text in GUIDES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def write_lines(path: Path, count: int) -> Path:
    """A text file of `count` distinct sentences of the demo set."""
    with DEMO.open(newline="") as file:
        sentences = [text for row in list(csv.reader(file))[1:] for text in row[:2]]
    path.write_text("\n".join(list(dict.fromkeys(sentences))[:count]) + "\n")
    return path


def contents(index: Path) -> dict[str, object]:
    """All of an index that an interruption must not change."""
    card = json.loads((index / "index.json").read_text())
    for name in ("made_unix_s", "texts_per_second"):
        del card[name]
    with sqlite3.connect(index / "texts.db") as database:
        tables = {
            table: database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for table in (
                "documents",
                "passages",
                "replaced",
                "facts",
                "vocabulary",
                "question_sets",
                "questions",
                "answers",
                "answering",
            )
        }
        words = database.execute("SELECT term FROM vocabulary").fetchall()
        holders = [
            database.execute(
                "SELECT rowid FROM words WHERE words MATCH ?", (f'"{word}"',)
            ).fetchall()
            for (word,) in words
        ]
    database.close()
    files = sorted(path.name for path in index.iterdir() if path.name != "lock")
    vectors = (index / card["vectors"]).read_bytes()
    base = None if card["base"] is None else (index / card["base"]["vectors"]).read_bytes()
    return {
        "card": card, "files": files, "vectors": vectors, "base": base, "words": holders, **tables,
    }  # fmt: skip


def as_first_format(index: Path) -> Path:
    """The index as the first version of NEXUS with an index wrote it."""
    card = json.loads((index / "index.json").read_text())
    assert card.pop("base") is None
    del card["model"]["fingerprint"]
    card["format"] = 1
    (index / "index.json").write_text(json.dumps(card))
    with sqlite3.connect(index / "texts.db") as database:
        for table in ("question_sets", "questions", "answers", "answering"):
            database.execute(f"DROP TABLE {table}")
    database.close()
    return index


def done(work):
    """Do all of `work`; its last item, None without any."""
    items = list(work)
    return items[-1] if items else None
