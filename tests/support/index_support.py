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
            for table in ("documents", "passages", "replaced", "facts", "vocabulary")
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
    return {"card": card, "files": files, "vectors": vectors, "words": holders, **tables}
