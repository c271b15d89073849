"""Columns named by the user, and rows left out, in every format of pairs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pytest
from data_cases import CANARY, pair_rows, table_bytes

from nexus_engine.data import load_data, load_split
from nexus_engine.data.reading.batches import BATCH_ROWS
from nexus_engine.errors import ConfigError, DataError

ROWS = pair_rows(36)
COLUMNS = {"sentence1": "left text", "sentence2": "Right", "score": "grade", "split": "part"}
PARTS = ["train"] * 24 + ["dev"] * 6 + ["test"] * 6
OBJECTS = [
    {"id": i, "grade": score, "left text": a, "Right": b, "part": part, "score": 9, "split": "x"}
    for i, ((a, b, score), part) in enumerate(zip(ROWS, PARTS, strict=True))
]


def delimited(objects: list[dict[str, Any]], separator: str = ",") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(objects[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(objects)
    return text.getvalue().encode()


def stream(objects: list[dict[str, Any]], folder: Path) -> Path:
    """A dataset saved by the datasets library."""
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist(objects)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    folder.mkdir()
    (folder / "data.arrow").write_bytes(sink.getvalue())
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
    return folder


def written(folder: Path, kind: str, objects: list[dict[str, Any]]) -> str:
    if kind == "saved":
        return str(stream(objects, folder / "saved"))
    content = {
        "csv": lambda: delimited(objects),
        "semicolons.csv": lambda: delimited(objects, ";"),
        "tsv": lambda: delimited(objects, "\t"),
        "jsonl": lambda: "".join(json.dumps(o) + "\n" for o in objects).encode(),
        "json": lambda: json.dumps({"rows": objects}, indent=1).encode(),
        "parquet": lambda: table_bytes(pa.Table.from_pylist(objects)),
    }[kind]()
    path = folder / f"a.{kind}"
    path.write_bytes(content)
    return str(path)


KINDS = ("csv", "semicolons.csv", "tsv", "jsonl", "json", "parquet", "saved")


@pytest.mark.parametrize("kind", KINDS)
def test_columns_are_read_by_the_names_that_are_given(tmp_path: Path, kind: str) -> None:
    data = load_data(written(tmp_path, kind, OBJECTS), columns=COLUMNS)
    assert [len(data.train), len(data.dev), len(data.test)] == [24, 6, 6]
    assert data.test.first.to_pylist() == [a for a, _, _ in ROWS[30:]]
    assert data.test.second.to_pylist() == [b for _, b, _ in ROWS[30:]]
    assert data.train.scores is not None
    assert data.train.scores.tolist() == pytest.approx([s / 5 for _, _, s in ROWS[:24]])
    assert "columns left text, Right, grade" in data.notes
    assert "split as the column split says: 24 train, 6 dev, 6 test pairs" in data.notes


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_the_file_lacks_is_one_line_with_those_that_it_has(
    tmp_path: Path, kind: str
) -> None:
    path = written(tmp_path, kind, OBJECTS)
    with pytest.raises(DataError) as refusal:
        load_data(path, columns={**COLUMNS, "score": "points"})
    message = str(refusal.value)
    has = "id, grade, (column 3), Right, part, score, split"
    assert f"the column points is not there; the columns are {has}" in message
    assert CANARY not in message


def test_usual_names_stand_for_those_that_are_not_given(tmp_path: Path) -> None:
    objects = [
        {"sentence1": a, "sentence2": b, "score": "x", "grade": score} for a, b, score in ROWS
    ]
    path = written(tmp_path, "csv", objects)
    assert (
        "columns sentence1, sentence2, grade" in load_data(path, columns={"score": "Grade"}).notes
    )
    with pytest.raises(DataError, match="not a number"):
        load_data(path)


@pytest.mark.parametrize("header", ["", "x,y,z,w\n"])
def test_columns_have_numbers(tmp_path: Path, header: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(header + "".join(f"7,{a},{s},{b}\n" for a, b, s in ROWS))
    columns = {"sentence1": "4", "sentence2": "2", "score": "3"}
    pairs = load_split(str(path), "all", columns=columns)
    assert pairs.first.to_pylist() == [b for _, b, _ in ROWS]
    with pytest.raises(DataError, match=r"a\.csv:1: the column 5 is not there; the row has 4"):
        load_data(str(path), columns={**columns, "score": "5"})


def test_the_words_of_a_table_without_a_header_are_not_shown_as_names(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("".join(f"{CANARY},{b},{s}\n" for _, b, s in ROWS))
    with pytest.raises(
        DataError, match=r":1: the column grade is not .*; give their numbers"
    ) as no:
        load_data(str(path), columns={"score": "grade"})
    assert CANARY not in str(no.value)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"question": "a", "positive": "b"}, "have no question; their roles are sentence1"),
        ({"sentence1": "a"}, "name both"),
        ({"sentence1": "a", "sentence2": "a"}, "the same column"),
    ],
)
def test_roles_that_pairs_do_not_have_are_refused(
    tmp_path: Path, columns: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        load_data(written(tmp_path, "csv", OBJECTS), columns=columns)


def test_arrays_have_no_names(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    with pytest.raises(DataError, match=r"a\.jsonl:1: arrays have no column names"):
        load_data(str(tmp_path / "a.jsonl"), columns=COLUMNS)


# Rows left out

BAD: dict[int, dict[str, Any]] = {
    3: {"grade": None},
    4: {"left text": " "},
    9: {"grade": "high"},
    10: {"grade": "nan"},
    11: {"Right": None, "grade": None},
    35: {"grade": ""},
}
LEFT_OUT = "6 rows are left out: 2 without two usable sentences, 4 without a usable score"


def with_bad(kind: str) -> list[dict[str, Any]]:
    objects = [{**o, **BAD.get(i, {})} for i, o in enumerate(OBJECTS)]
    if kind in ("parquet", "saved"):  # one type a column
        for o in objects:
            o["grade"] = None if o["grade"] is None else str(o["grade"])
    return objects


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_cannot_be_used_are_left_out_and_counted(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, kind, with_bad(kind))
    with pytest.raises(DataError) as refusal:
        load_data(path, columns=COLUMNS)
    assert str(refusal.value).endswith(
        ("remove the row, or leave it out with --skip-bad",
         "remove them, or leave it out with --skip-bad")
    )  # fmt: skip
    data = load_data(path, columns=COLUMNS, skip_bad=True)
    pairs = load_split(path, "all", columns=COLUMNS, skip_bad=True)
    assert pairs.first.to_pylist() == [a for i, (a, _, _) in enumerate(ROWS) if i not in BAD]
    assert pairs.scores is not None
    expected = [s / 5 for i, (_, _, s) in enumerate(ROWS) if i not in BAD]
    assert pairs.scores.tolist() == pytest.approx(expected)
    assert len(data.train) + len(data.dev) + len(data.test) == 30
    counted = next(note for note in data.notes if "left out" in note)
    assert sorted(counted.replace(": ", ", ").split(", ")) == sorted(
        LEFT_OUT.replace(": ", ", ").split(", ")
    )
    clean = written(tmp_path, kind if kind != "saved" else "csv", OBJECTS)
    assert (
        load_data(clean, columns=COLUMNS).notes
        == load_data(clean, columns=COLUMNS, skip_bad=True).notes
    )


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_rows_of_another_width_are_left_out(tmp_path: Path, separator: str) -> None:
    rows = [separator.join((a, b, str(s))) for a, b, s in ROWS]
    rows[5] = separator.join(("only", "two"))
    rows[7] += f"{separator}more"
    path = tmp_path / ("a.tsv" if separator == "\t" else "a.csv")
    path.write_text("\n".join([separator.join(("s1", "s2", "score")), *rows]) + "\n")
    with pytest.raises(DataError, match=r":7: 2 columns where .* leave it out with --skip-bad"):
        load_data(str(path))
    pairs = load_split(str(path), "all", skip_bad=True)
    assert pairs.first.to_pylist() == [a for i, (a, _, _) in enumerate(ROWS) if i not in (5, 7)]
    note = "2 rows are left out: 2 with too few or too many columns or fields"
    assert note in load_data(str(path), skip_bad=True).notes


def test_objects_without_a_field_are_left_out(tmp_path: Path) -> None:
    objects: list[Any] = [{"s1": a, "s2": b, "score": s} for a, b, s in ROWS]
    del objects[3]["s2"]
    objects[4]["s1"] = 7
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(o) + "\n" for o in objects))
    with pytest.raises(DataError, match=r":4: the field s2 is missing; fill or remove the row, or"):
        load_data(str(path))
    assert len(load_split(str(path), "all", skip_bad=True)) == 34


def test_more_bad_rows_than_a_batch_holds_end_no_file(tmp_path: Path) -> None:
    rows = [f"{a},{b},{s}" for a, b, s in ROWS]
    bad = ["short,row"] * (2 * BATCH_ROWS + 10) + [",empty,3"] * (BATCH_ROWS + 10)
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["s1,s2,score", *rows[:20], *bad, *rows[20:]]))
    assert len(load_split(str(path), "all", skip_bad=True)) == 36


def test_a_file_without_a_row_that_can_be_used_is_refused_for_its_first(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("s1,s2,score\n" + "".join(f"{a},{b},entailment\n" for a, b, _ in ROWS))
    with pytest.raises(DataError, match=r"a\.csv:2: the score is the class entailment"):
        load_data(str(path), skip_bad=True)


@pytest.mark.parametrize("top", [1, 5])
def test_a_score_of_minus_one_is_a_missing_label(tmp_path: Path, top: int) -> None:
    rows = [(a, b, round(i % 6 / 5 * top, 2)) for i, (a, b, _) in enumerate(ROWS)]
    rows[4] = (*rows[4][:2], -1)
    path = tmp_path / "a.csv"
    path.write_text("s1,s2,score\n" + "".join(f"{a},{b},{s}\n" for a, b, s in rows))
    data = load_data(str(path), skip_bad=True)
    assert data.score_range == (0, top)
    assert len(load_split(str(path), "all", skip_bad=True)) == 35
    assert "1 row is left out: the score is -1, no label" in data.notes
    named = load_split(str(path), "all", skip_bad=True, score_range=(-1, top))
    assert len(named) == 36


def test_quotes_as_text_take_no_row_along_when_rows_are_left_out(tmp_path: Path) -> None:
    rows = [f"{a}\t{b}\t{s}" for a, b, s in ROWS]
    rows[3] = '"Leak at the valve\tpump 2 is leaking\t2'
    rows[8] = 'replace the pipe of 5"\tchange the 5 inch pipe\t1'
    rows[20] = "no\tscore\t"
    path = tmp_path / "a.tsv"
    path.write_text("s1\ts2\tscore\n" + "\n".join(rows) + "\n")
    pairs = load_split(str(path), "all", skip_bad=True)
    assert len(pairs) == 35
    assert pairs.first[3].as_py() == '"Leak at the valve'


def test_rows_left_out_do_not_hide_another_separator(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    tabs = [f"a {i}\t{i % 5}\tx {i},b {i},{i % 5}\n" for i in range(210)]
    path.write_text("".join([*tabs, *(f"c {i},d {i},{i % 5}\n" for i in range(20))]))
    pairs = load_split(str(path), "all", skip_bad=True)
    assert len(pairs) == 230
    assert pairs.second.to_pylist()[-1] == "d 19"


def test_a_column_has_one_role(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("label,text,value\n" + "".join(f"{a},{b},{s}\n" for a, b, s in ROWS))
    data = load_data(str(path), columns={"sentence1": "label", "sentence2": "text"})
    assert "columns label, text, value" in data.notes


def test_tabs_in_the_sentences_of_a_csv_cost_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f'"{a}\tso",{b},{s}' for a, b, s in ROWS]
    path.write_text("\n".join(["sentence1,\tsentence2,score", *rows, "x\ty,z,"]) + "\n")
    assert len(load_split(str(path), "all", skip_bad=True)) == 36
