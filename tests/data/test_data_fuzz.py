"""Any text survives every format, and any damage is loaded or refused, never a traceback."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from functools import partial
from pathlib import Path

import pytest
from data_cases import (
    HEADER,
    array_text,
    delimited_text,
    json_text,
    pair_rows,
    parquet_bytes,
    zip_bytes,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nexus_engine.data import load_data, load_split, load_unscored
from nexus_engine.errors import DataError

UNHURRIED = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

sentences = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1
).filter(lambda text: bool(text.strip()))
rows = st.lists(
    st.tuples(sentences, sentences, st.floats(0, 5, width=32).map(lambda x: round(x, 3))),
    min_size=2,
    max_size=12,
).filter(lambda table: len({score for _, _, score in table}) > 1)


@UNHURRIED
@given(rows=rows)
def test_any_text_survives_every_format(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, float]]
) -> None:
    folder = tmp_path_factory.mktemp("round")
    contents = {
        "a.csv": delimited_text(rows).encode(),
        "b.tsv": delimited_text(rows, "\t").encode(),
        "c.jsonl": json_text(rows).encode(),
        "d.ndjson": array_text(rows).encode(),
        "e.parquet": parquet_bytes(rows),
    }
    all_scores = []
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        pairs = load_split(str(folder / name), "all", score_range=(0, 5))
        assert pairs.scores is not None
        assert pairs.first.to_pylist() == [first for first, _, _ in rows]
        assert pairs.second.to_pylist() == [second for _, second, _ in rows]
        all_scores.append(pairs.scores.tolist())
    assert all(scores == all_scores[0] for scores in all_scores)


GOOD = pair_rows(30)
FORMATS = {
    "pairs.csv": delimited_text(GOOD).encode(),
    "pairs.tsv": delimited_text(GOOD, "\t", header=None).encode(),
    "sixteen.csv": delimited_text(GOOD).encode("utf-16"),
    "pairs.jsonl": json_text(GOOD).encode(),
    "arrays.jsonl": array_text(GOOD).encode(),
    "array.json": json.dumps([dict(zip(HEADER, row, strict=True)) for row in GOOD]).encode(),
    "pairs.parquet": parquet_bytes(GOOD),
    "semicolons.csv": delimited_text(GOOD, ";").replace(".", ",").encode(),
    "western.tsv": delimited_text(GOOD, "\t").replace("sits", "\u00e9t\u00e9").encode("cp1252"),
    "rows.json": json.dumps(
        {"n": 1, "r": [dict(zip(HEADER, row, strict=True)) for row in GOOD]}
    ).encode(),
    "pairs.csv.gz": gzip.compress(delimited_text(GOOD).encode()),
    "pairs.csv.bz2": bz2.compress(delimited_text(GOOD).encode()),
    "pairs.csv.xz": lzma.compress(delimited_text(GOOD).encode()),
    "pairs.zip": zip_bytes(pairs_csv=delimited_text(GOOD)),
}


@pytest.mark.parametrize("name", FORMATS)
@UNHURRIED
@given(data=st.data())
def test_any_damage_is_loaded_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    content = bytearray(FORMATS[name])
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
    path = tmp_path_factory.mktemp("damage") / name
    path.write_bytes(content)
    for load in (load_data, partial(load_data, skip_bad=True), load_unscored):
        try:
            loaded = load(str(path))
        except DataError as refusal:
            message = str(refusal)
        else:
            message = repr(loaded)
        assert message.isprintable()
        assert "kanarienvogel 1" not in message


@pytest.mark.parametrize("name", ["pairs.parquet", "pairs.csv.gz"])
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, name: str) -> None:
    content = FORMATS[name]
    path = tmp_path / name
    for end in range(0, len(content), 7):
        path.write_bytes(content[:end])
        with pytest.raises(DataError, match=name):
            load_data(str(path))
