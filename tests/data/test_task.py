"""The task is told from the head of the data; bad data is for the loader of pairs to refuse."""

from __future__ import annotations

import gzip
import json

import pytest
from question_support import write_csv, write_lines

from nexus_engine.data.task import task_of

GRADES = [f"a {i},b {i},{i % 6}" for i in range(30)]
MARKS = [f"a {i},b {i},{i % 2}" for i in range(30)]


@pytest.mark.parametrize(("spec", "task"), [
    ("demo", "pairs"), ("stsb", "pairs"), ("demo-search", "retrieval"), ("", "pairs"),
    ("/no/such/file.csv", "pairs"), ("a\0b", "pairs"),
])  # fmt: skip
def test_names(spec, task):
    assert task_of(spec) == task


@pytest.mark.parametrize(
    ("header", "rows", "task"),
    [
        ("sentence1,sentence2,score", GRADES, "pairs"),
        ("sentence1,sentence2,label", MARKS, "pairs"),
        ("question1,question2,is_duplicate", MARKS, "pairs"),
        ("premise,hypothesis,label", MARKS, "pairs"),
        ("query,passage,score", GRADES, "pairs"),
        ("anchor,positive,score", GRADES, "pairs"),
        ("query,passage,label", MARKS, "retrieval"),
        ("Query,Document,Score", MARKS, "retrieval"),
        ("question,answer,score", GRADES, "retrieval"),
        ("anchor,positive,negative", GRADES, "retrieval"),
        ("term,meaning,page", GRADES, "retrieval"),
        ("sentence1,sentence2,page", GRADES, "pairs"),
        ("one,two,three", GRADES, "pairs"),
        ("a cat sits,a dog runs,3.5", GRADES, "pairs"),
    ],
)
def test_columns(tmp_path, header, rows, task):
    assert task_of(str(write_csv(tmp_path / "a.csv", header, rows))) == task


def test_named_columns_decide(tmp_path):
    path = str(write_csv(tmp_path / "a.csv", "x,y,score", GRADES))
    assert task_of(path, {"question": "x", "positive": "y"}) == "retrieval"
    assert task_of(path, {"sentence1": "x", "sentence2": "y"}) == "pairs"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"query,pos\none",
        b'{"query": ',
        b"[" * 100_000,
        b"PAR1junk",
        b"\0" * 99,
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.parquet", "a.csv.gz", "a.odd"])
def test_bad_data_counts_as_pairs(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert task_of(str(tmp_path / name)) in ("pairs", "retrieval")
    assert task_of(str(tmp_path)) == "pairs"


def test_folders(tmp_path):
    pairs, questions, notes, beir = (tmp_path / name for name in ("p", "q", "n", "b"))
    for folder in (pairs, questions, notes, beir):
        folder.mkdir()
    write_csv(pairs / "train.csv", "sentence1,sentence2,score", GRADES)
    (pairs / "about.md").write_text("# About\nthese pairs")
    assert task_of(str(pairs)) == "pairs"
    write_lines(questions / "train.jsonl", [{"query": "a", "pos": ["b"]}])
    assert task_of(str(questions)) == "retrieval"
    (notes / "one.txt").write_text("Some words.")
    assert task_of(str(notes)) == "retrieval"
    write_lines(notes / "dev.jsonl", [{"question": "a", "source": "one.txt"}])
    assert task_of(str(notes)) == "retrieval"
    (beir / "corpus.jsonl.gz").write_bytes(gzip.compress(b'{"_id": "1", "text": "a"}'))
    write_lines(beir / "queries.jsonl", [{"_id": "1", "text": "b"}])
    assert task_of(str(beir)) == "pairs"  # nothing is judged
    (beir / "qrels").mkdir()
    (beir / "qrels" / "test.tsv").write_text("1\t1\t1\n")
    assert task_of(str(beir)) == "retrieval"


def test_no_more_than_the_head_is_read(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [json.dumps({"query": f"a {i}", "pos": [f"b {i}"]}) for i in range(1200)]
    path.write_text("\n".join(rows) + "\nnot JSON\n")
    assert task_of(str(path)) == "retrieval"
