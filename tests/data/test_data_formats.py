"""The same pairs in every format are the same data, and odd text is read as text."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from data_cases import (
    array_text,
    delimited_text,
    json_text,
    pair_rows,
    parquet_bytes,
    write_all_kinds,
)

from nexus_engine.data import Pairs, load_data, load_split, load_unscored
from nexus_engine.errors import DataError

ODD_SENTENCES = [
    "NA",
    "null",
    "None",
    "nan",
    "",
    "007",
    "1e5",
    "TRUE",
    "=1+1",
    "#N/A",
    '"',
    'a "quoted" word',
    '"wholly"',
    "two\nlines",
    "two\r\nlines",
    "comma, tab\tand ; semicolon",
    " spaces around ",
    "a\\nb \\",
    "'",
    "\x1b[31mred\x1b[0m \x9b31m \u202eright",
    "\u2028line separator\x0b\x0c\x1c",
    "\ufeffmark inside",
    "emoji \U0001f9e0 \u00e4\u00f6 \u4f60\u597d",
    "e\u0301 unnormalised",
]


def contents(pairs: Pairs) -> list[tuple[str, str]]:
    return [pair for first, second in pairs.batches() for pair in zip(first, second, strict=True)]


def test_every_format_gives_the_same_fingerprint(tmp_path: Path) -> None:
    paths = write_all_kinds(tmp_path, pair_rows())
    data = [load_data(str(path)) for path in paths]
    assert len(data) == 22
    assert len({d.fingerprint for d in data}) == 1
    assert {d.score_range for d in data} == {(0.0, 5.0)}
    assert [d.name for d in data] == [path.name for path in paths]


@pytest.mark.parametrize(
    "change", [("x", None, None), (None, "x", None), (None, None, 4.9)], ids=["1", "2", "score"]
)
def test_the_fingerprint_sees_every_column(
    tmp_path: Path, change: tuple[str | None, str | None, float | None]
) -> None:
    rows = pair_rows()
    path = tmp_path / "pairs.csv"
    path.write_text(delimited_text(rows))
    before = load_data(str(path)).fingerprint
    first, second, score = rows[7]
    rows[7] = (change[0] or first, change[1] or second, change[2] or score)
    path.write_text(delimited_text(rows))
    assert load_data(str(path)).fingerprint != before


def test_the_fingerprint_tells_where_a_sentence_ends(tmp_path: Path) -> None:
    fingerprints = set()
    for name, sentences in (("one", ("ab", "c")), ("other", ("a", "bc"))):
        folder = tmp_path / name
        folder.mkdir()
        for split in ("train", "dev", "test"):
            rows = [(sentence, "x", float(i)) for i, sentence in enumerate(sentences)]
            (folder / f"{split}.csv").write_text(delimited_text(rows))
        fingerprints.add(load_data(str(folder)).fingerprint)
    assert len(fingerprints) == 2


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "ndjson", "parquet"])
def test_odd_sentences_are_loaded_as_they_stand(tmp_path: Path, kind: str) -> None:
    rows = [(odd or "filled", f"other {i}", i % 5 + 0.5) for i, odd in enumerate(ODD_SENTENCES)]
    content = {
        "csv": delimited_text(rows).encode(),
        "tsv": delimited_text(rows, "\t").encode(),
        "jsonl": json_text(rows).encode(),
        "ndjson": array_text(rows).encode(),
        "parquet": parquet_bytes(rows),
    }[kind]
    path = tmp_path / f"pairs.{kind}"
    path.write_bytes(content)
    pairs = load_split(str(path), "all")
    assert contents(pairs) == [(first, second) for first, second, _ in rows]
    assert pairs.scores is not None
    assert pairs.scores.tolist() == pytest.approx([score / 5 for _, _, score in rows])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_read(tmp_path: Path, end: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(f"a,b,1{end}{end}c,d,2{end}e,f,3".encode())
    assert contents(load_split(str(path), "all")) == [("a", "b"), ("c", "d"), ("e", "f")]


def test_a_tsv_without_quoting_is_read_with_its_quotes(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(
        '"Go" he said\tHe said "go"\t3.0\n"No\tYes\t1\nplain\ttext\t2\n' + "a\tb\t0\n" * 9
    )
    assert contents(load_split(str(path), "all"))[:2] == [
        ('"Go" he said', 'He said "go"'),
        ('"No', "Yes"),
    ]


@pytest.mark.parametrize(
    "header",
    [
        "sentence1,sentence2,score",
        "Sentence 1,SENTENCE_2,Similarity-Score",
        "s1,s2,label",
        "sent1,sent2,gold",
        "sent_1,sent_2,rating",
        "text1,text2,similarity",
        "text_a,text_b,value",
        "sentence_A,sentence_B,relatedness_score",
        "premise,hypothesis,label",
        "question1,question2,label",
        "query,document,score",
        "first,second,score",
        "left,right,score",
        "a,b,score",
    ],
)
def test_known_names_are_a_header(tmp_path: Path, header: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(f"{header}\nx,y,0\nv,w,3\n")
    assert contents(load_split(str(path), "all")) == [("x", "y"), ("v", "w")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id,score,s2,note,s1\n1,0,y,n,x\n2,3,w,n,v\n", "header in another order"),
        ("x,y,0,more\nv,w,3,more\n", "score third"),
        ("x,y,note,0\nv,w,note,3\n", "the only number last"),
        ("0,x,y\n3,v,w\n", "the only number first"),
        ("x,0,y\nv,3,w\n", "the only number second"),
        ("x,y,0\nv,w,3\n", "three columns"),
    ],
)
def test_columns_are_found(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text)
    pairs = load_split(str(path), "all")
    assert contents(pairs) == [("x", "y"), ("v", "w")], expected
    assert pairs.scores is not None
    assert pairs.scores.tolist() == pytest.approx([0, 0.6])


def test_a_sentence_that_is_a_number_is_no_score(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("42,forty two,5\n17,seventeen,4\nx,y,0\n")
    assert contents(load_split(str(path), "all"))[0] == ("42", "forty two")


def test_notes_say_what_was_read_and_nothing_of_the_data(tmp_path: Path) -> None:
    for name, note in (("headed.csv", "columns sentence1"), ("bare.csv", "no header")):
        write_all_kinds(tmp_path, pair_rows())
        notes = load_data(str(tmp_path / name)).notes
        assert any(note in line for line in notes)
        assert not any("kanarien" in line for line in notes)


@pytest.mark.parametrize(
    ("content", "scored"),
    [
        ("x,y\nv,w\n", False),
        ("s1,s2\nx,y\nv,w\n", False),
        ("x,y,1\nv,w,3\n", True),
        ("x\ty\t1\nv\tw\t3\n", True),
        ("s1,s2,label\nx,y,neutral\nv,w,entailment\n", False),
        ("x,y,1\nv,w,4711\n", False),
        ('["x","y"]\n["v","w"]\n', False),
        ('["x","y",1]\n["v","w",2]\n', True),
        ('{"s1":"x","s2":"y","score":1}\n{"s1":"v","s2":"w"}\n', False),
        ('{"s1":"x","s2":"y"}\n{"s1":"v","s2":"w"}\n', False),
    ],
)
def test_pairs_without_scores_come_from_stdin_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, *, scored: bool
) -> None:
    class Stdin:
        buffer = io.BytesIO(content.encode())

    monkeypatch.setattr("sys.stdin", Stdin())
    kind = "jsonl" if content[0] in "[{" else "tsv" if "\t" in content else "csv"
    path = tmp_path / f"pairs.{kind}"
    path.write_text(content)
    for pairs in (load_unscored("-"), load_unscored(path)):
        assert contents(pairs) == [("x", "y"), ("v", "w")]
        assert (pairs.scores is not None) is scored


def test_stdin_may_be_gzip_parquet_or_utf_16(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pair_rows()
    for path in write_all_kinds(tmp_path, rows):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
        assert contents(load_unscored("-")) == [(first, second) for first, second, _ in rows]


@pytest.mark.parametrize("content", [b"", b"one column\n", b"a,b\nc\n", b"a,\x81\n"])
def test_bad_stdin_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    with pytest.raises(DataError, match=r"^stdin:"):
        load_unscored("-")


def test_a_sentence_in_brackets_is_no_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"[name] came,x\ny,z\n")))
    assert len(load_unscored("-")) == 2


def test_scores_may_be_text_and_decimals_in_json_and_parquet(tmp_path: Path) -> None:
    import pyarrow as pa

    lines = [json.dumps({"s1": f"x{i}", "s2": f"y{i}", "score": str(i)}) for i in range(5)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(lines))
    texts = load_split(str(path), "all").scores
    rows = [(f"x{i}", f"y{i}", float(i)) for i in range(5)]
    for kind in (pa.decimal128(5, 2), pa.string(), pa.int8(), pa.float16()):
        (tmp_path / "pairs.parquet").write_bytes(parquet_bytes(rows, score_type=kind))
        scores = load_split(str(tmp_path / "pairs.parquet"), "all").scores
        assert texts is not None
        assert scores is not None
        assert scores.tolist() == texts.tolist()
