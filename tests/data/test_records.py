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
from nexus_engine.data.reading.formats import FileKind, kind_of_file
from nexus_engine.data.reading.records import read_records
from nexus_engine.data.reading.sources import Source, file_source
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
    for end in range(0, len(content), 97):
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
