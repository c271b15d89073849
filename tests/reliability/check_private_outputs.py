"""Sentences in documents, questions, labels and pairs stay there when models and indexes are made.

They may stand in the texts of an index and in label files, which is what those are for, and on the
stdout of a command that was asked for them. No log, event, run.json, error line, model card or
record of an unfinished job may hold one, also where a command crashes or is killed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reliability import children, tiny_runs
from reliability.check_private import _canaries
from reliability.outcome import Outcome

PLANTED = ("pairs", "docs", "questions", "bad", "ann.jsonl", "bob.jsonl")
"""The user's own files."""
TEXTS = ("texts.db", "texts.db-journal")
"""Of an index."""
RATERS = ("ann", "bob")


def plant(folder: Path) -> list[str]:
    """Pairs, documents with headings, questions with answers, and files that cannot be used."""
    found = _canaries(7)
    n = len(found)
    for name in ("pairs", "docs/inner", "questions/qrels", "bad"):
        (folder / name).mkdir(parents=True)
    rows = [f"{found[i]},{found[(i + 1) % n]},{i % 6}" for i in range(n)]
    for split in ("train", "dev", "test"):
        content = "\n".join(["sentence1,sentence2,score", *rows]) + "\n"
        (folder / "pairs" / f"{split}.csv").write_text(content)
    (folder / "lines.txt").write_text("\n".join(found) + "\n")
    (folder / "pairs" / "lines.txt").write_text((folder / "lines.txt").read_text())
    (folder / "lines.txt").unlink()
    for i in range(6):
        text = f"# {found[i]}\n\n{found[i + 1]} {found[i + 2]}\n"
        (folder / "docs" / "inner" / f"{i}.md").write_text(text)
    for name, texts in (("queries", found[:9]), ("corpus", found[9:])):
        lines = [json.dumps({"_id": f"{name}{i}", "text": text}) for i, text in enumerate(texts)]
        (folder / "questions" / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    for start, split in enumerate(("train", "dev", "test")):
        lines = [f"queries{i}\tcorpus{i}\t1" for i in range(start, 9, 3)]
        head = "query-id\tcorpus-id\tscore\n"
        (folder / "questions" / "qrels" / f"{split}.tsv").write_text(head + "\n".join(lines) + "\n")
    bad = folder / "bad"
    (bad / "corpus.jsonl").write_text(f'{{"_id": "a", "text": "{found[3]}"}}\n{{"{found[4]}\n')
    (bad / "pairs.csv").write_text(f"sentence1,sentence2,score\n{found[5]},{found[6]},{found[7]}\n")
    (bad / "bytes.txt").write_bytes(found[8].encode() + b"\xff\xfe\n")
    (bad / "labels.jsonl").write_text(f'{{"nexus_labels": "{found[2]}"}}\n')
    return found


def _label(folder: Path, texts: list[str]) -> None:
    from nexus_engine.labels.label_file import LabelFile

    for shift, rater in enumerate(RATERS):
        with LabelFile.open(folder / f"{rater}.jsonl", rater) as labels:
            for i, text in enumerate(texts):
                labels.judge_pair(text, texts[i - 1], "grade", grade=(i + shift) % 6)
                labels.judge_passage(text, texts[i - 2], "mark", relevant=i % 2 == shift)


def _spoil_embedding(texts: list[str]) -> None:
    """Let the embedding of texts fail with one of them in the error."""
    from nexus_engine.model.sentence_model import SentenceModel

    def broken(self: Any, *given: Any, **named: Any) -> Any:
        raise ValueError(f"cannot encode {texts[0]}")

    SentenceModel.embed = broken  # type: ignore[method-assign]


def _spoil_database(index: Path, text: str) -> None:
    import sqlite3

    with sqlite3.connect(index / "texts.db") as database:
        database.execute(
            "UPDATE passages SET text = CAST(? || x'ff' AS TEXT) WHERE id = 2", (text,)
        )
    database.close()


INDEX = ["index", "build", "questions", "--model", "run", "--with-base", "--out"]
SOUND: tuple[tuple[str, ...], ...] = (
    ("export", "run", "--format", "st", "--out", "as-st"),
    ("export", "run", "--format", "delta", "--out", "as-delta"),
    ("export", "run", "--format", "onnx", "--out", "as-onnx"),
    ("embed", "run", "docs", "--out", "docs.npy"),
    ("embed", "run", "pairs/lines.txt", "--out", "lines.parquet", "--dtype", "int8"),
    (*INDEX, "questions.index"),
    ("index", "build", "docs", "--model", "base", "--out", "docs.index"),
    ("index", "add", "docs.index", "questions"),
    ("index", "add", "docs.index", "docs", "--prune"),
    ("index", "status", "docs.index", "--files"),
    ("index", "eval", "questions.index", "--data", "questions"),
    ("index", "refresh", "questions.index", "--model", "base"),
    ("search", "--index", "docs.index", "QUERY"),
    ("search", "run", "QUERY", "--corpus", "docs"),
    ("labels", "list", "."),
    ("labels", "show", "ann.jsonl"),
    ("labels", "agree", "ann.jsonl", "bob.jsonl"),
    ("train", "--data", "ann.jsonl", "--tune", "adapter", "--epochs", "1", "--threads", "1",
     "--task", "pairs", "--out", "labelled"),
    ("runs", "show", "labelled"),
)  # fmt: skip
REFUSED: tuple[tuple[str, ...], ...] = (
    ("index", "build", "bad/corpus.jsonl", "--model", "base", "--out", "bad.index"),
    ("index", "build", "bad/bytes.txt", "--model", "base", "--out", "bad.index"),
    ("index", "add", "docs.index", "bad/corpus.jsonl"),
    ("embed", "run", "bad/pairs.csv", "--column", "score2", "--out", "bad.npy"),
    ("embed", "run", "bad/bytes.txt", "--out", "bad.npy"),
    ("train", "--data", "bad/pairs.csv", "--out", "bad-run"),
    ("index", "eval", "docs.index", "--data", "bad/corpus.jsonl"),
    ("labels", "show", "bad/labels.jsonl"),
    ("search", "--index", "docs.index", "QUERY", "--file", "QUERY"),
)
CRASHING: tuple[tuple[str, ...], ...] = (
    (*INDEX, "crashed.index"),
    ("index", "add", "docs.index", "pairs/lines.txt"),
    ("index", "refresh", "docs.index", "--model", "run"),
    ("index", "eval", "questions.index", "--data", "questions"),
    ("embed", "run", "docs", "--out", "crashed.npy"),
    ("export", "run", "--format", "st", "--out", "crashed"),
)
DAMAGED: tuple[tuple[str, ...], ...] = (
    ("search", "--index", "questions.index", "QUERY"),
    ("index", "refresh", "questions.index", "--model", "run"),
    ("index", "eval", "questions.index", "--data", "questions"),
)


def _use_outputs(folder: Path, *, texts: list[str], without: Sequence[str]) -> dict[str, list[int]]:
    """In a child: the commands, sound, refused, crashing, and on a damaged index."""
    from export_runs import make_run

    from nexus_engine.model.base_model import find_base_model
    from nexus_tui.cli.main import main

    tiny_runs.make_tiny()
    for place in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "HF_HOME"):
        (folder / place).mkdir()
        os.environ[place] = str(folder / place)
    os.environ.pop("HF_HUB_CACHE", None)
    os.chdir(folder)
    make_run(folder / "run", find_base_model(), "pairs")
    _label(folder, texts)
    out = os.dup(1)
    # Some of these show sentences, as asked.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    told = {}
    for kind, commands in (("sound", SOUND), ("refused", REFUSED), ("crashing", CRASHING),
                           ("damaged", DAMAGED)):  # fmt: skip
        if kind == "crashing":
            _spoil_embedding(texts)
        elif kind == "damaged":
            _spoil_database(folder / "questions.index", texts[12])
        told[kind] = [
            main([texts[1] if word == "QUERY" else word for word in words])
            for words in commands
            if not set(without) & set(words)
        ]
    sys.stdout.flush()
    os.dup2(out, 1)
    return told


def found_in(folder: Path, texts: list[str]) -> list[str]:
    """Files that hold a word of the sentences, but those that are there for them."""
    signs = [word for text in texts for word in text.split() if len(word) == 8]
    needles = [s.encode(e) for s in signs for e in ("utf-8", "utf-16-le", "utf-16-be")]
    found = []
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if not path.is_file() or place.parts[0] in PLANTED or path.name in TEXTS:
            continue
        content = path.read_bytes().lower()
        if any(needle in content for needle in needles):
            found.append(f"a sentence is in {place}")
    return found


def private_outputs(
    place: Path, mutation: str | None = None, without: Sequence[str] = ()
) -> Outcome:
    """Every command on planted sentences, then a look into every file.

    Commands with a word of `without` are left out.
    """
    folder = place / "planted"
    folder.mkdir()
    texts = plant(folder)
    told = children.call(_use_outputs, folder, mutation, texts=texts, without=without)
    failures = []
    stderr = (folder / "stderr").read_text()
    if any(told["sound"]):
        failures.append(f"exit codes {told['sound']}: {stderr[-600:]}")
    if not all(told["refused"]):
        failures.append(f"not refused: {told['refused']}")
    if set(told["crashing"]) != {1}:
        failures.append(f"did not crash: {told['crashing']}")
    if set(told["damaged"]) - {1, 3}:
        failures.append(f"not met: {told['damaged']}")
    failures += found_in(folder, texts)
    (folder / "leak").write_text(texts[3])
    if "a sentence is in leak" not in found_in(folder, texts):
        failures.append("the search does not find what is there")
    trials = sum(map(len, told.values()))
    return Outcome("exports, embeddings, indexes, labels keep sentences", trials, failures)
