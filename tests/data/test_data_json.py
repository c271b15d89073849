"""JSON files of every usual shape are read one pair at a time, or refused by their shape."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from data_cases import CANARY, HEADER, json_text, pair_rows

from nexus_engine.data import load_data, load_split, load_unscored
from nexus_engine.data.reading.batches import RowBatch
from nexus_engine.data.reading.json_lines import read_json_lines
from nexus_engine.data.reading.json_values import JsonLimits, JsonText, array_values
from nexus_engine.data.reading.sources import Source
from nexus_engine.data.reading.text_lines import text_pieces
from nexus_engine.errors import DataError

ROWS = pair_rows(36)
OBJECTS: list[dict[str, Any]] = [dict(zip(HEADER, row, strict=True)) for row in ROWS]
ARRAYS = [list(row) for row in ROWS]

READ = {
    "an array on one line": json.dumps(OBJECTS),
    "an array over many lines": json.dumps(OBJECTS, indent=2),
    "a line for each object": "[\n" + ",\n".join(map(json.dumps, OBJECTS)) + "\n]\n",
    "an array of arrays": json.dumps(ARRAYS),
    "an array of arrays over many lines": json.dumps(ARRAYS, indent=1),
    "objects over many lines each": "\n".join(json.dumps(o, indent=2) for o in OBJECTS),
    "rows under data": json.dumps({"version": 12, "data": OBJECTS, "more": {"x": [1]}}),
    "rows under data, indented": json.dumps({"data": OBJECTS}, indent=4),
    "a schema before the data": json.dumps(
        {"schema": {"fields": [{"name": "i"}]}, "data": OBJECTS}
    ),
    "rows under rows": json.dumps({"rows": OBJECTS, "count": 36}),
    "rows under examples, indented": json.dumps({"name": "x", "examples": OBJECTS}, indent=1),
    "arrays under rows": json.dumps({"about": [{"x": 1}], "rows": ARRAYS}),
    "the only array of objects": json.dumps({"tags": ["a", "b"], "the pairs": OBJECTS, "n": [1]}),
    "the only array of objects, indented": json.dumps({"version": 1, "train": OBJECTS}, indent=2),
    "space around": "\n \r\n\t" + json.dumps(OBJECTS) + "\n\n",
    "a mark before": "\ufeff" + json.dumps(OBJECTS),
}


def write(path: Path, text: str) -> str:
    path.write_bytes(text.encode())
    return str(path)


def read(text: str, limits: JsonLimits) -> list[RowBatch]:
    source = Source("pairs.json", None, text.encode())
    return list(read_json_lines(source, score_needed=True, limits=limits)[1])


@pytest.mark.parametrize("text", READ.values(), ids=READ)
def test_json_of_other_shapes_is_the_same_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    expected = load_data(write(tmp_path / "lines.jsonl", json_text(ROWS)))
    data = load_data(write(tmp_path / "pairs.json", text))
    assert data.fingerprint == expected.fingerprint
    assert len(data.train) + len(data.dev) + len(data.test) == len(ROWS)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert load_unscored("-").first.to_pylist() == [first for first, _, _ in ROWS]


@pytest.mark.parametrize("chunk", [1, 7, 64])
@pytest.mark.parametrize(
    "name",
    ["an array on one line", "rows under data, indented", "the only array of objects, indented"],
)
def test_where_the_text_is_cut_into_pieces_makes_no_difference(chunk: int, name: str) -> None:
    batches = read(READ[name], JsonLimits(chunk_characters=chunk))
    assert [sentence for batch in batches for sentence in batch.second] == [b for _, b, _ in ROWS]


@pytest.mark.parametrize("chunk", range(1, 9))
def test_a_line_end_that_is_cut_in_two_counts_once(chunk: int) -> None:
    text = READ["an array over many lines"]
    limits = JsonLimits(chunk_characters=chunk)
    rows = [row for batch in read(text, limits) for row in batch.rows]
    for end in ("\r\n", "\r"):
        batches = read(text.replace("\n", end), limits)
        assert [row for batch in batches for row in batch.rows] == rows


@pytest.mark.parametrize("size", range(1, 9))
def test_a_nul_is_refused_with_its_row_wherever_pieces_are_cut(size: int) -> None:
    source = Source("pairs.json", None, b"one\r\ntwo\r\n\r\nthree\0\r\n")
    with pytest.raises(DataError, match=r"pairs\.json:4: holds a NUL"):
        list(text_pieces(source, size))


def test_a_long_array_is_never_held_whole(tmp_path: Path) -> None:
    text = json.dumps(OBJECTS * 400)
    path = tmp_path / "pairs.json"
    path.write_text(text)
    longest = 0
    with closing(JsonText(Source("pairs.json", path))) as cursor:
        count = 0
        for count, _ in enumerate(array_values(cursor), start=1):  # noqa: B007 - used below
            longest = max(longest, len(cursor._text))
    assert count == 400 * len(OBJECTS)
    assert longest < 3 * JsonLimits().chunk_characters < len(text)


def swapped(place: int, **fields: object) -> list[dict[str, Any]]:
    """The objects, with some fields of one of them replaced."""
    return [{**o, **fields} if i == place else o for i, o in enumerate(OBJECTS)]


A = json.dumps(OBJECTS[0])
REFUSED = {
    # name: (text, row, words)
    "score missing, one line": (json.dumps(swapped(16, score=None)), 17, "score is empty"),
    "score missing, indented": (
        json.dumps(swapped(16, score=None), indent=1),
        82,
        "score is empty",
    ),
    "a sentence that is a list": (json.dumps(swapped(3, sentence2=[A])), 4, "not a JSON string"),
    "NaN": (json.dumps(swapped(5, score=float("nan"))), 6, "NaN"),
    "a number for an object": (f"[{A}, 17]", 2, "not a JSON object"),
    "an object after an array": (f'[["a", "b", 1], {A}]', 2, "alike"),
    "a field twice": (f'[{A}, {{"score": 1, "score": 2}}]', 1, "named twice"),
    "a comma missing": (f"[{A}\n {A}]", 2, "comma is missing"),
    "a comma too many": (f"[{A},\n {A},\n]", 3, "not JSON at character 1"),
    "single quotes": ("[{'sentence1': 'x'}]", 1, "not JSON"),
    "cut off in an object": (json.dumps(OBJECTS, indent=1)[:-9], 180, "cut off"),
    "cut off after a comma": (f"[{A},\n{A},\n", 3, "cut off"),
    "cut off between two": (f"[{A},\n{A}\n", 3, "cut off"),
    "text after the end": (f"[{A},\n {A}]\n[{A}]", 3, "text follows the end"),
    "nested too deeply": ("[" * 100_000, 1, "nested too deeply"),
    "deep in an object": (f'[{A}, {{"x": {"[" * 100_000}', 1, "nested too deeply"),
    "a number of 5,000 digits": (f'[{A}, {{"score": {"1" * 5000}}}]', 1, "too long to read"),
    "a value without end": (f'[{A}, {{"x": "' + "y" * 8_100_000, 1, "longer than 8 MB"),
    "an empty array": (" [ ] ", None, "empty array"),
    "nothing under data": ('{"data": []}', None, "is empty"),
    "unknown fields": ('[{"x": "a", "y": "b"}]', 1, "no known fields among x, y"),
    "sentences of one column": (json.dumps([A, A]), 1, "not a JSON string|values where 3"),
}


@pytest.mark.parametrize(("text", "row", "words"), REFUSED.values(), ids=REFUSED)
def test_a_bad_value_is_refused_with_its_row(
    tmp_path: Path, text: str, row: int | None, words: str
) -> None:
    path = write(tmp_path / "bad.json", text)
    with pytest.raises(DataError) as refusal:
        load_data(path)
    message = str(refusal.value)
    where = f"{path}: " if row is None else f"{path}:{row}: "
    assert message.startswith(where), message
    assert re.search(words, message), message
    assert CANARY not in message
    assert len(message) < 400 + len(path)


def columns(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: {str(i): o[name] for i, o in enumerate(objects)} for name in HEADER}


OTHER_TABLES = {
    "pandas' default": columns(OBJECTS),
    "lists": {name: [o[name] for o in OBJECTS] for name in HEADER},
    "index": {str(i): o for i, o in enumerate(OBJECTS)},
    "split": {"columns": list(HEADER), "index": list(range(36)), "data": ARRAYS},
}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("table", OTHER_TABLES.values(), ids=OTHER_TABLES)
def test_other_tables_of_pandas_are_named_and_the_advice_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: dict[str, Any], indent: int | None
) -> None:
    path = write(tmp_path / "FILE", json.dumps(table, indent=indent))
    path = str(Path(path).rename(tmp_path / "pairs.json"))
    with pytest.raises(
        DataError, match=r"pairs\.json:1: one JSON object with .* pandas"
    ) as refusal:
        load_data(path)
    program = re.search(r'python -c "(.*)"', str(refusal.value))
    assert program is not None
    monkeypatch.chdir(tmp_path)
    Path(path).rename("FILE")
    exec(program[1], {})
    expected = load_data(write(tmp_path / "lines.jsonl", json_text(ROWS)))
    assert load_data("NEW.jsonl").fingerprint == expected.fingerprint


def test_a_table_that_is_too_long_to_hold_is_named_too() -> None:
    limits = JsonLimits(chunk_characters=100, max_value_characters=500)
    layouts = {"sentence1": "each column in one piece", "columns": "columns and data apart"}
    for table in (columns(OBJECTS), OTHER_TABLES["split"]):
        with pytest.raises(DataError, match=layouts[next(iter(table))]):
            read(json.dumps(table), limits)
    with pytest.raises(DataError, match="of a retrieval set"):
        read(json.dumps(RETRIEVAL), limits)
    data = {"note": "x", "data": OBJECTS}
    assert sum(len(batch.first) for batch in read(json.dumps(data), limits)) == 36


RETRIEVAL = {
    "queries": {f"q{i}": first for i, (first, _, _) in enumerate(ROWS)},
    "corpus": {f"d{i}": second for i, (_, second, _) in enumerate(ROWS)},
    "relevant_docs": {f"q{i}": [f"d{i}"] for i in range(36)},
    "mode": "text",
}


@pytest.mark.parametrize("indent", [None, 1])
def test_a_retrieval_set_is_named_and_said_not_to_be_read(
    tmp_path: Path, indent: int | None
) -> None:
    path = write(tmp_path / "pairs.json", json.dumps(RETRIEVAL, indent=indent))
    with pytest.raises(DataError, match=r"json:1: queries, corpus and relevant_docs .* not read"):
        load_data(path)
    # Follow the message: write a line for each pair, with a score.
    pairs = RETRIEVAL["queries"], RETRIEVAL["corpus"]
    lines = [
        {"sentence1": pairs[0][f"q{a}"], "sentence2": pairs[1][f"d{b}"], "score": int(a == b)}  # type: ignore[index]
        for a in range(36)
        for b in (a, (a + 1) % 36)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    assert len(load_split(write(tmp_path / "pairs.jsonl", text), "all")) == 72


@pytest.mark.parametrize("name", ["pairs", "train", "the pairs"])
def test_two_arrays_of_rows_are_found_by_the_command_in_the_message(
    tmp_path: Path, name: str
) -> None:
    table = {"version": 1, name: OBJECTS[:30], "more": OBJECTS[30:]}
    path = write(tmp_path / "pairs.json", json.dumps(table, indent=1))
    with pytest.raises(DataError, match=r"pairs\.json:1: a JSON object with rows") as refusal:
        load_data(path)
    command = re.search(r"jq -c '(.*)' FILE > NEW\.jsonl$", str(refusal.value))
    assert command is not None
    assert command[1] == (".[] | arrays | .[]" if " " in name else f".{name}[]")
    if shutil.which("jq"):
        done = subprocess.run(["jq", "-c", command[1], path], capture_output=True, check=True)
        lines = done.stdout.decode()
    else:  # the same as the jq program
        lists = [v for v in json.loads(Path(path).read_text()).values() if isinstance(v, list)]
        lines = "".join(json.dumps(row) + "\n" for rows in lists for row in rows)
    count = 36 if " " in name else 30
    assert len(load_split(write(tmp_path / "NEW.jsonl", lines), "all")) == count


def test_a_second_array_in_an_object_too_long_to_hold_is_refused_with_its_row() -> None:
    limits = JsonLimits(chunk_characters=100, max_value_characters=500)
    rows = {"note": "x", "pairs": OBJECTS, "tags": ["a"]}
    assert sum(len(batch.first) for batch in read(json.dumps(rows), limits)) == 36
    with pytest.raises(DataError, match=r"pairs\.json:1: a second array of rows"):
        read(json.dumps({**rows, "more": OBJECTS}), limits)


def test_an_object_that_others_follow_is_a_row(tmp_path: Path) -> None:
    lines = "".join(json.dumps({**o, "spans": [{"start": 0}]}) + "\n" for o in OBJECTS)
    assert len(load_split(write(tmp_path / "pairs.jsonl", lines), "all")) == 36
    named = lines.replace("sentence1", "left text").replace("sentence2", "right text")
    path = write(tmp_path / "named.jsonl", named)
    columns = {"sentence1": "left text", "sentence2": "right text"}
    assert len(load_split(path, "all", columns=columns)) == 36
    with pytest.raises(DataError, match=r"named\.jsonl:1: no known fields among \(column 1\)"):
        load_data(path)


def test_sentences_in_brackets_on_stdin_are_no_json(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("[[note]] it came,x\ny,z\n", "[{name}] came,x\ny,z\n", "[\n"):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        if len(text) < 3:
            with pytest.raises(DataError, match="one column"):
                load_unscored("-")
        else:
            assert len(load_unscored("-")) == 2
