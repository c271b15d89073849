"""Any text survives each shape of questions, and any damage is loaded or refused, no traceback."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from question_support import known

from nexus_engine.data.questions.loading import load_questions
from nexus_engine.data.task import task_of
from nexus_engine.errors import DataError
from nexus_engine.same_text import folded

CANARY = "kanarienvogel"
UNHURRIED = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
texts = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30
).filter(lambda text: bool(text.strip()) and not text.strip().startswith("["))
rows = st.lists(
    st.tuples(texts, texts), min_size=12, max_size=20, unique_by=(
        lambda pair: folded(pair[0]), lambda pair: folded(pair[1]),
    ),
)  # fmt: skip


def csv_bytes(header, table):
    out = io.StringIO()
    csv.writer(out).writerows([header, *table])
    return out.getvalue().encode()


def jsonl_bytes(records):
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def parquet_bytes(records):
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), out)
    return out.getvalue()


@UNHURRIED
@given(table=rows)
def test_any_text_survives_every_shape(tmp_path_factory, table):
    folder = tmp_path_factory.mktemp("round")
    records = [{"question": question, "answer": answer} for question, answer in table]
    contents = {
        "a.csv": csv_bytes(("question", "answer"), table),
        "b.jsonl": jsonl_bytes(records),
        "c.parquet": parquet_bytes([{"query": q, "pos": [a]} for q, a in table]),
        "d.json": json.dumps({
            "queries": {str(i): q for i, (q, _) in enumerate(table)},
            "corpus": {str(i): a for i, (_, a) in enumerate(table)},
            "relevant_docs": {str(i): [str(i)] for i in range(len(table))},
        }).encode(),
    }  # fmt: skip
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        assert task_of(str(folder / name)) == "retrieval"
        assert known(load_questions(str(folder / name))) == {
            q.strip(): {a.strip()} for q, a in table
        }


RECORDS = [
    {"query": f"{CANARY} {i}?", "pos": [f"the {CANARY} sings {i}"], "neg": [f"no {CANARY} {i}"]}
    for i in range(30)
]
IDS = [str(i) for i in range(30)]
FILES = {
    "rows.jsonl": jsonl_bytes(RECORDS),
    "rows.json": json.dumps({"data": RECORDS}).encode(),
    "rows.parquet": parquet_bytes(RECORDS),
    "rows.csv.gz": gzip.compress(
        csv_bytes(("query", "passage", "label"), [
            (row["query"], row[side][0], label)
            for row in RECORDS for side, label in (("pos", 1), ("neg", 0))
        ])
    ),
    "llama.json": json.dumps({
        "queries": {i: f"{CANARY} {i}?" for i in IDS},
        "corpus": {i: f"the {CANARY} sings {i}" for i in IDS},
        "relevant_docs": {i: [i] for i in IDS},
    }).encode(),
}  # fmt: skip
BEIR = {
    "corpus.jsonl": jsonl_bytes([{"_id": i, "title": "t", "text": f"{CANARY} {i}"} for i in IDS]),
    "queries.jsonl": jsonl_bytes([{"_id": i, "text": f"ask {CANARY} {i}"} for i in IDS]),
    "qrels/train.tsv": "".join(f"{i}\t{i}\t1\n" for i in IDS).encode(),
}


def damaged(content, data):
    content = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert", "delete"])):
            case "flip":
                content[at] ^= data.draw(st.integers(1, 255))
            case "cut":
                del content[max(at, 1) :]
            case "insert":
                content[at:at] = data.draw(st.binary(max_size=8))
            case "delete":
                del content[at : at + data.draw(st.integers(1, 40))]
        content = content or bytearray(b"x")
    return bytes(content)


def check(spec):
    assert task_of(spec) in ("pairs", "retrieval")
    for skip_bad in (False, True):
        try:
            message = " ".join([*load_questions(spec, skip_bad=skip_bad).notes])
        except DataError as refusal:
            message = str(refusal)
        assert message.isprintable()
        assert CANARY not in message


@pytest.mark.parametrize("name", FILES)
@UNHURRIED
@given(data=st.data())
def test_any_damage_to_a_file_is_loaded_or_refused(tmp_path_factory, name, data):
    path = tmp_path_factory.mktemp("damage") / name
    path.write_bytes(damaged(FILES[name], data))
    check(str(path))


@pytest.mark.parametrize("name", BEIR)
@UNHURRIED
@given(data=st.data())
def test_any_damage_to_a_folder_of_beir_is_loaded_or_refused(tmp_path_factory, name, data):
    folder = tmp_path_factory.mktemp("damage")
    (folder / "qrels").mkdir()
    for own, content in BEIR.items():
        (folder / own).write_bytes(damaged(content, data) if own == name else content)
    check(str(folder))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@UNHURRIED
@given(
    odd=st.dictionaries(st.sampled_from(["query", "pos", "neg", "label", "split", "group"]), values)
)
def test_any_values_in_a_row_are_read_or_refused(tmp_path_factory, odd):
    path = tmp_path_factory.mktemp("odd") / "a.jsonl"
    path.write_bytes(jsonl_bytes([*RECORDS, odd]))
    check(str(path))
    path.write_bytes(jsonl_bytes([odd, *RECORDS]))
    check(str(path))
