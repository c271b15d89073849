"""Records of named fields in every format, for whoever reads questions."""

from __future__ import annotations

import bz2
import io
import json
import lzma
import random

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from data_cases import zip_bytes

from nexus_engine.data.questions.loading import load_questions
from nexus_engine.data.reading.arrow_files import END_OF_STREAM
from nexus_engine.data.reading.formats import FileKind, kind_of_file
from nexus_engine.data.reading.records import read_records
from nexus_engine.data.reading.sources import Source, file_source
from nexus_engine.data.task import task_of
from nexus_engine.errors import DataError

ROWS = [
    {"query": f"how is pump {i} started", "pos": [f"Key {i}.", f"Valve {i}."], "spans": [{"n": i}]}
    for i in range(30)
]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


def arrow(rows):
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist(rows)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)
    return sink.getvalue().to_pybytes()


def parquet(rows):
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


CONTENTS = {
    "a.jsonl": LINES.encode(),
    "a.jsonl.bz2": bz2.compress(LINES.encode()),
    "a.jsonl.xz": lzma.compress(LINES.encode()),
    "a.jsonl.zip": zip_bytes(a_jsonl=LINES),
    "a.zip": zip_bytes(a_json=json.dumps(ROWS), readme_md="x"),
    "array.json": json.dumps(ROWS, indent=1).encode(),
    "data.json": json.dumps({"version": 1, "data": ROWS}).encode(),
    "rows.json": json.dumps({"rows": ROWS}).encode(),
    "examples.json": json.dumps({"examples": ROWS, "about": [{"x": 1}]}, indent=2).encode(),
    "alone.json": json.dumps({"tags": ["x"], "train": ROWS}).encode(),
    "alone_indented.json": json.dumps({"tags": ["x"], "train": ROWS}, indent=1).encode(),
    "apart.json": "\n".join(json.dumps(row, indent=1) for row in ROWS).encode(),
    "a.parquet": parquet(ROWS),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_records_are_the_same_in_every_format(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(CONTENTS[name])
    source = file_source(path)
    records = list(read_records(source, kind_of_file(source, name)))
    assert [record for _, record in records] == ROWS
    assert [row for row, _ in records] == sorted({row for row, _ in records})


def test_records_of_an_arrow_stream_are_checked_to_its_end():
    content = arrow(ROWS)
    assert [r for _, r in read_records(Source("a", None, content), FileKind.ARROW)] == ROWS
    assert content.endswith(END_OF_STREAM)
    for end in (*range(0, len(content), 97), -len(END_OF_STREAM)):
        with pytest.raises(DataError, match=r"damaged or cut off|holds no rows"):
            list(read_records(Source("a", None, content[:end]), FileKind.ARROW))


def test_a_damaged_stream_takes_no_memory():
    content = bytearray(arrow(ROWS))
    chance = random.Random(3)
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(3):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            records = list(read_records(Source("a", None, bytes(damaged)), FileKind.ARROW))
        except DataError as error:
            message = str(error)
        else:
            message = f"a: {len(records)}"
        assert message in ("a: 30", "a: is damaged or cut off; copy or download the file again")


def test_a_record_alone_with_a_list_of_objects_is_a_record_if_others_follow():
    two = LINES.split("\n", 2)[:2]
    records = read_records(Source("a", None, "\n".join(two).encode()), FileKind.JSONL)
    assert [record for _, record in records] == ROWS[:2]


def test_windows_1252_is_read_and_remarked():
    source = Source("a", None, "query,pos\ncaf\u00e9,th\u00e9\n".encode("cp1252"))
    assert list(read_records(source, FileKind.CSV)) == [
        (2, {"query": "caf\u00e9", "pos": "th\u00e9"})
    ]
    assert source.remarks == ["not UTF-8: read as Windows-1252"]


@pytest.mark.parametrize(
    ("kind", "content", "row"),
    [
        (FileKind.CSV, "q,a\nx,y\nx\nv,w\n", 3),
        (FileKind.CSV, "q;a\nx;y\nx;y;z\nv;w\n", 3),
        (FileKind.TSV, "q\ta\nx\ty\nx\nv\tw\n", 3),
        (FileKind.JSONL, '{"q": "x", "a": "y"}\n17\n{"q": "v", "a": "w"}\n', 2),
        (FileKind.JSONL, '[{"q": "x", "a": "y"}, 17, {"q": "v", "a": "w"}]', 2),
    ],
)
def test_rows_of_another_form_are_refused_or_handed_over(kind, content, row):
    source = Source("a", None, content.encode())
    with pytest.raises(DataError, match=f"a:{row}: "):
        list(read_records(source, kind))
    refused = []
    records = [record for _, record in read_records(source, kind, refused.append)]
    assert records == [{"q": "x", "a": "y"}, {"q": "v", "a": "w"}]
    assert [str(error).split(" ")[0] for error in refused] == [f"a:{row}:"]


def test_questions_are_read_from_packed_files(tmp_path):
    rows = [{"query": row["query"], "pos": row["pos"]} for row in ROWS]
    expected = None
    for name, pack in (("a.jsonl", bytes), ("b.jsonl.bz2", bz2.compress), ("c.zip", None)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        content = zip_bytes(a_jsonl=text) if pack is None else pack(text.encode())
        (tmp_path / name).write_bytes(content)
        data = load_questions(str(tmp_path / name))
        expected = expected or data.fingerprint
        assert data.fingerprint == expected


# What becomes of it as questions

NOTE = "not UTF-8: read as Windows-1252"


def json_lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.mark.parametrize(("suffix", "pack"), [("bz2", bz2.compress), ("xz", lzma.compress)])
def test_a_packed_folder_of_beir_is_read(tmp_path, suffix, pack):
    passages = [{"_id": f"d{i}", "text": f"Key {i} opens it."} for i in range(30)]
    queries = [{"_id": f"q{i}", "text": row["query"]} for i, row in enumerate(ROWS)]
    (tmp_path / "qrels").mkdir()
    (tmp_path / f"corpus.jsonl.{suffix}").write_bytes(pack(json_lines(passages)))
    (tmp_path / f"queries.jsonl.{suffix}").write_bytes(pack(json_lines(queries)))
    for split, chosen in (("train", range(20)), ("dev", range(20, 25)), ("test", range(25, 30))):
        judged = "".join(f"q{i}\td{i}\t1\n" for i in chosen).encode()
        (tmp_path / "qrels" / f"{split}.tsv.{suffix}").write_bytes(pack(judged))
    data = load_questions(str(tmp_path))
    assert [len(data.train), len(data.dev), len(data.test)] == [20, 5, 5]


def test_rows_of_another_width_are_skipped_and_counted_with_questions(tmp_path):
    path = tmp_path / "a.csv"
    lines = [f"ask {i},text {i}\n" for i in range(40)]
    path.write_text("question,answer\n" + "".join([*lines[:20], "one\n", *lines[20:]]))
    with pytest.raises(DataError, match=r"a\.csv:22: 1 columns where the header has 2"):
        load_questions(str(path))
    data = load_questions(str(path), skip_bad=True)
    assert len(data.train) + len(data.dev) + len(data.test) == 40
    assert any("1 row" in note and "skipped" in note for note in data.notes)


def test_questions_in_windows_1252_are_read_and_noted(tmp_path):
    path = tmp_path / "a.csv"
    text = "question;answer\n" + "".join(f"caf\u00e9 {i};th\u00e9 {i}\n" for i in range(40))
    path.write_bytes(text.encode("cp1252"))
    data = load_questions(str(path))
    assert "caf\u00e9 0" in data.train.questions.to_pylist() + data.dev.questions.to_pylist()
    assert data.notes.count(NOTE) == 1


def test_a_cloned_repository_and_a_saved_dataset_hold_questions(tmp_path):
    folder = tmp_path / "repository"
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("# about")
    for at, split in enumerate(("train", "validation", "test")):
        name = f"{split}-00000-of-00001-0a1b2c3d4e5f.parquet"
        (folder / "data" / name).write_bytes(parquet(ROWS[at * 10 : at * 10 + 10]))
    data = load_questions(str(folder))
    assert [len(data.train), len(data.dev), len(data.test)] == [10, 10, 10]
    assert "the files are in its folder data" in data.notes
    assert task_of(str(folder)) == "retrieval"
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "data.arrow").write_bytes(arrow(ROWS))
    (saved / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
    data = load_questions(str(saved))
    assert len(data.train) + len(data.dev) + len(data.test) == 30
    assert len(data.passages) == 60
    assert task_of(str(saved)) == "retrieval"


NAMES = ["training", "Train", "validation", "test", "train"]


def test_a_split_column_places_questions(tmp_path):
    rows = [{**row, "split": name} for row, name in zip(ROWS, NAMES * 6, strict=True)]
    (tmp_path / "a.json").write_text(json.dumps({"examples": rows}))
    data = load_questions(str(tmp_path / "a.json"))
    assert [len(data.train), len(data.dev), len(data.test)] == [18, 6, 6]
    assert "split as the column split says: 18 train, 6 dev, 6 test rows" in data.notes


def test_documents_in_windows_1252_are_read_and_noted(tmp_path):
    from nexus_engine.model.base_model import find_base_model
    from nexus_engine.model.plain_tokenizer import plain_tokenizer

    for i in range(30):
        text = f"Pump {i}\n\nThe caf\u00e9 with number {i} opens at noon. Bring {i} keys.\n"
        (tmp_path / f"{i}.txt").write_bytes(text.encode("cp1252" if i < 3 else "utf-8"))
    rows = [{"question": f"when does {i} open", "source": f"{i}.txt"} for i in range(30)]
    (tmp_path / "questions.jsonl").write_bytes(json_lines(rows))
    data = load_questions(str(tmp_path), tokenizer=plain_tokenizer(find_base_model().folder))
    assert f"3 documents {NOTE}" in data.notes
    assert sum("caf\u00e9" in text for text in data.passages.to_pylist()) == 30
