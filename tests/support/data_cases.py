"""Files for the tests of the data layer: how to write good ones, and a table of bad ones.

Every sentence holds CANARY, so that a test can tell whether a message quotes the data.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

CANARY = "kanarienvogel"

Row = tuple[str, str, float]

HEADER = ("sentence1", "sentence2", "score")


def pair_rows(count: int = 40) -> list[Row]:
    """`count` pairs that share no sentence, with scores from 0 in steps of 0.2.

    Of these most are no exact binary number, which is what formats differ on.
    """
    return [
        (f"{CANARY} {i} sits", f"the {CANARY} {i} is sitting", round(i % 26 * 0.2, 1))
        for i in range(count)
    ]


def delimited_text(
    rows: Sequence[Row], separator: str = ",", header: Sequence[str] | None = HEADER
) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator)
    if header is not None:
        writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def json_text(rows: Sequence[Row], names: Sequence[str] = HEADER) -> str:
    return "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows)


def array_text(rows: Sequence[Row]) -> str:
    return "".join(json.dumps(list(row), ensure_ascii=False) + "\n" for row in rows)


def parquet_bytes(
    rows: Sequence[Row],
    names: Sequence[str] = HEADER,
    score_type: pa.DataType | None = None,
    text_type: pa.DataType | None = None,
) -> bytes:
    columns = [
        pa.array([row[0] for row in rows]).cast(text_type or pa.string()),
        pa.array([row[1] for row in rows]).cast(text_type or pa.string()),
        pa.array([row[2] for row in rows], pa.float64()).cast(score_type or pa.float64()),
    ]
    return table_bytes(pa.Table.from_arrays(columns, names=list(names)))


def table_bytes(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def _with_commas(rows: Sequence[Row], separator: str) -> str:
    commas = [(first, second, str(score).replace(".", ",")) for first, second, score in rows]
    return delimited_text(commas, separator)  # type: ignore[arg-type]


def write_all_kinds(folder: Path, rows: Sequence[Row]) -> list[Path]:
    """The same pairs in every form that is read."""
    contents = {
        "headed.csv": delimited_text(rows).encode(),
        "bare.csv": delimited_text(rows, header=None).encode(),
        "bom.csv": delimited_text(rows).encode("utf-8-sig"),
        "sixteen.csv": delimited_text(rows).encode("utf-16"),
        "headed.tsv": delimited_text(rows, "\t").encode(),
        "objects.jsonl": json_text(rows).encode(),
        "arrays.ndjson": array_text(rows).encode(),
        "lines.json": json_text(rows).encode(),
        "columns.parquet": parquet_bytes(rows),
        "single.parquet": parquet_bytes(rows, score_type=pa.float32()),
        "large.parquet": parquet_bytes(rows, text_type=pa.large_string()),
        "semicolons.csv": delimited_text(rows, ";").encode(),
        "bars.csv": delimited_text(rows, "|").encode(),
        "commas.csv": _with_commas(rows, ";").encode(),
        "commas.tsv": _with_commas(rows, "\t").encode(),
        "western.csv": delimited_text(rows).encode("cp1252"),
        "packed.csv.bz2": bz2.compress(delimited_text(rows).encode()),
        "packed.csv.xz": lzma.compress(delimited_text(rows).encode()),
        "packed.jsonl.zip": zip_bytes(pairs_jsonl=json_text(rows)),
        "packed.zip": zip_bytes(**{"folder/pairs_tsv": delimited_text(rows, "\t"), "a_md": "x"}),
        "packed.csv.gz": gzip.compress(delimited_text(rows).encode()),
        "packed.jsonl.gz": gzip.compress(json_text(rows).encode()),
    }
    paths = []
    for name, content in contents.items():
        paths.append(folder / name)
        paths[-1].write_bytes(content)
    return paths


@dataclass(frozen=True)
class BadFile:
    """A file that must be refused."""

    name: str
    content: bytes
    reason: str
    """Words that the message must hold."""
    row: int | None = None
    """The row that it must name; None where the file as a whole is refused."""


GOOD = pair_rows(6)
LINES = delimited_text(GOOD).replace("\r\n", "\n")
A, B = GOOD[0][0], GOOD[0][1]
"""Two sentences."""


def _csv(*lines: str) -> bytes:
    """The good file with `lines` after it, the first of them row 8."""
    return (LINES + "".join(line + "\n" for line in lines)).encode()


def _jsonl(*lines: str) -> bytes:
    """Six good lines, then `lines`, the first of them row 7."""
    return (json_text(GOOD) + "".join(line + "\n" for line in lines)).encode()


def _object(first: object = A, second: object = B, score: object = 1.0) -> str:
    return json.dumps({"sentence1": first, "sentence2": second, "score": score})


def _table(
    first: pa.Array, second: pa.Array, score: pa.Array, names: Sequence[str] = HEADER
) -> bytes:
    return table_bytes(pa.Table.from_arrays([first, second, score], names=list(names)))


LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"


def zip_bytes(
    *, method: int = zipfile.ZIP_DEFLATED, broken: bool = False, locked: bool = False, **files: str
) -> bytes:
    """A zip file; in the names of `files`, the last underscore is a point."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, text in files.items():
            archive.writestr(".".join(name.rsplit("_", 1)), text)
    content = bytearray(packed.getvalue())
    if broken:
        content[45:60] = b"\xff" * 15
    if locked:
        content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


TEXT = pa.array([A, B])
MARKS = pa.array([1.0, 2.0])
INVALID_UTF8 = pa.StringArray.from_buffers(
    2, pa.py_buffer(b"\0\0\0\0\2\0\0\0\4\0\0\0"), pa.py_buffer(b"ab\xff\xfe")
)

BAD_FILES = {
    "empty csv": BadFile("bad.csv", b"", "is empty"),
    "blank lines only": BadFile("bad.csv", b"\n\n\r\n", "is empty"),
    "bom only": BadFile("bad.csv", b"\xef\xbb\xbf", "is empty"),
    "empty tsv": BadFile("bad.tsv", b"", "is empty"),
    "empty jsonl": BadFile("bad.jsonl", b"", "is empty"),
    "empty parquet": BadFile("bad.parquet", b"", "is empty"),
    "empty gz": BadFile("bad.csv.gz", b"", "is empty"),
    "gz of nothing": BadFile("bad.csv.gz", gzip.compress(b""), "is empty"),
    "header only": BadFile("bad.csv", b"sentence1,sentence2,score\n", "no pairs"),
    "parquet without rows": BadFile("bad.parquet", parquet_bytes([]), "no pairs"),
    "one column": BadFile("bad.csv", f"text\n{A}\n".encode(), "one column", 1),
    "tabs in a csv": BadFile("bad.csv", f"{A}\t{B}\thigh\n{B}\t{A}\t2\n".encode(), "score", 1),
    "semicolons": BadFile("bad.csv", f"{A};{B};high\n{B};{A};2\n".encode(), "score", 1),
    "two columns": BadFile("bad.csv", f"{A},{B}\n{B},{A}\n".encode(), "no score", 1),
    "no score column": BadFile("bad.csv", f"s1,s2\n{A},{B}\n".encode(), "no score column", 1),
    "unknown names": BadFile("bad.csv", f"x,y,z\n{A},{B},3\n{B},{A},2\n".encode(), "x, y, z", 1),
    "missing column": BadFile("bad.csv", f"s1,score\n{A},3\n{B},2\n".encode(), "sentence2", 1),
    "a hundred thousand columns": BadFile(
        "bad.csv", ("s1,s2," + ",".join(f"x{i}" for i in range(100_000))).encode(), "no score", 1
    ),
    "same name twice": BadFile("bad.csv", f"s1,s2,score,score\n{A},{B},3,4\n".encode(), "twice", 1),
    "same sentence name twice": BadFile(
        "bad.csv", f"s1,s1,score\n{A},{B},3\n".encode(), "twice", 1
    ),
    "alike names": BadFile(
        "bad.csv", f"text1,text_1,text2,score\n{A},{A},{B},3\n".encode(), "twice", 1
    ),
    "two score candidates": BadFile(
        "bad.csv", f"1,{A},{B},2\n2,{B},{A},3\n".encode(), "more than one", 1
    ),
    "numbers for sentences": BadFile(
        "bad.csv", f"17,23,4.5,{A},{B}\n18,24,3.5,{B},{A}\n".encode() * 3, "column of numbers", 1
    ),
    "text in the score": BadFile("bad.csv", _csv(f"{A},{B},high"), "not a number", 8),
    "decimal comma": BadFile("bad.csv", _csv(f'{A},{B},"3,5"'), "not a number", 8),
    "underscored number": BadFile("bad.csv", _csv(f"{A},{B},1_0"), "not a number", 8),
    "empty score": BadFile("bad.csv", _csv(f"{A},{B},"), "score is empty", 8),
    "NaN score": BadFile("bad.csv", _csv(f"{A},{B},NaN"), "NaN", 8),
    "infinite score": BadFile("bad.csv", _csv(f"{A},{B},-inf"), "infinite", 8),
    "overflowing score": BadFile("bad.csv", _csv(f"{A},{B},1e999"), "infinite", 8),
    "text score, no header": BadFile(
        "bad.csv", f"{A},{B},3\n{B},{A},high\n".encode(), "not a number", 2
    ),
    "score of no usual range": BadFile("bad.csv", _csv(f"{A},{B},4711"), "--score-range"),
    "constant scores": BadFile("bad.csv", f"{A},{B},3\n{B},{A},3\n".encode(), "equal"),
    "one pair": BadFile("bad.csv", f"{A},{B},3\n".encode(), "one pair"),
    "too few to split": BadFile(
        "bad.csv", LINES.encode()[: LINES.index("3 sits")] + b"x,y,1\n", "too few"
    ),
    "empty sentence": BadFile("bad.csv", _csv(f",{B},3"), "first sentence is empty", 8),
    "blank sentence": BadFile("bad.csv", _csv(f"{A},\u00a0 \t,3"), "second sentence is empty", 8),
    "short row": BadFile("bad.csv", _csv(f"{A},{B}"), "2 columns where", 8),
    "long row": BadFile("bad.csv", _csv(f"{A},{B},{B},3"), "4 columns where", 8),
    "row number past a cell of three lines": BadFile(
        "bad.csv", _csv(f'"{A}\n\n.",{B},3', f"{A},{B},x"), "not a number", 11
    ),
    "row number past blank lines": BadFile(
        "bad.csv", _csv("", "", f"{A},{B},x"), "not a number", 10
    ),
    "row number, mixed line ends": BadFile(
        "bad.csv", f"s1,s2,score\r{A},{B},3\r\n{A},{B},2\n{A},{B},x\r".encode(), "not a number", 4
    ),
    "unclosed quote": BadFile("bad.csv", _csv(f'{A},"{B},3', f"{A},{B},3"), "never closed", 8),
    "unclosed quote, the reading stops soon after": BadFile(
        "bad.csv", _csv(f'{A},"{B},3', *[f"{A},{B},3"] * 60_000) + b"\xff", "never closed", 8
    ),
    "unclosed quote in a long file": BadFile(
        "bad.csv", _csv(f'{A},"{B},3', *[f"{A},{B},3"] * 30_000), "never closed", 8
    ),
    "text after a quote": BadFile("bad.csv", _csv(f'{A},"{B}" {B},3'), "closing quote", 8),
    "unclosed quote, tsv": BadFile(
        "bad.tsv",
        "".join(f'"{A}"\t"{B}"\t{i}\n' for i in range(3)).encode() + f'"{A}\t"{B}"\t3\n'.encode(),
        "quote",
        4,
    ),
    "NUL": BadFile("bad.csv", _csv(f"{A}\0,{B},3"), "NUL", 8),
    "NUL, jsonl": BadFile("bad.jsonl", _jsonl(_object()[:-1] + "\0}"), "NUL", 7),
    "utf-16 without a mark": BadFile("bad.csv", LINES.encode("utf-16-le"), "NUL", 1),
    "utf-32": BadFile("bad.csv", LINES.encode("utf-32"), "UTF-32"),
    "utf-16 cut in half": BadFile("bad.csv", LINES.encode("utf-16")[:-1], "not UTF-16", 7),
    "undefined in Windows-1252": BadFile("bad.csv", _csv() + b"\xe4\x81,x,3\n", "not UTF-8", 8),
    "no encoding, jsonl": BadFile("bad.jsonl", _jsonl() + b'"\xe4\x81"\n', "not UTF-8", 7),
    "no encoding far in": BadFile(
        "bad.csv", _csv(*[f"{A},{B},3"] * 20_000) + b"\xe4\x81,x,3\n", "not UTF-8", 20_008
    ),
    "Cyrillic in one byte a letter": BadFile(
        "bad.csv", f"{'насос работает ' * 40},{A},3\n".encode("cp1251"), "not UTF-8", 1
    ),
    "control characters": BadFile("bad.csv", _csv() + b"\xe4\x01,x,3\n", "not UTF-8", 8),
    "utf-8 cut off in a letter": BadFile("bad.csv", _csv() + "café".encode()[:-1], "not UTF-8", 8),
    "surrogate in utf-8": BadFile("bad.csv", _csv() + b"\xed\xa0\x80,x,3\n", "not UTF-8", 8),
    "cell of 1 MB": BadFile("bad.csv", _csv(A + "," + "x" * 1_000_001 + ",3"), "1 MB", 8),
    "cell of 1 MB in bytes": BadFile(
        "bad.csv", _csv(A + "," + "\u20ac" * 400_000 + ",3"), "1 MB", 8
    ),
    "cell of 10 MB": BadFile("bad.csv", _csv(A + "," + "x" * 10_000_000 + ",3"), "MB", 8),
    "cell of 1 MB, jsonl": BadFile("bad.jsonl", _jsonl(_object("x" * 1_000_001)), "1 MB", 7),
    "cell of 1 MB, parquet": BadFile(
        "bad.parquet", _table(pa.array([A, "x" * 1_000_001]), TEXT, MARKS), "1 MB", 2
    ),
    "lone surrogate": BadFile("bad.jsonl", _jsonl(_object("\ud800")), "surrogate", 7),
    "deep json": BadFile("bad.jsonl", _jsonl("[" * 100_000 + "]" * 100_000), "nested", 7),
    "deep json in a field": BadFile(
        "bad.jsonl", _jsonl('{"x":' * 100_000 + "1" + "}" * 100_000), "nested", 7
    ),
    "json number": BadFile("bad.jsonl", _jsonl("17"), "not a JSON object", 7),
    "json string": BadFile("bad.jsonl", _jsonl(json.dumps(A)), "not a JSON object", 7),
    "json cut off": BadFile("bad.jsonl", _jsonl(_object()[:-3]), "not JSON", 7),
    "json list": BadFile(
        "bad.json", json.dumps([dict.fromkeys(HEADER, A)], indent=1).encode(), "not a number", 2
    ),
    "json list on a line": BadFile("bad.json", json.dumps([{"s1": A}]).encode(), "fields among", 1),
    "array after object": BadFile("bad.jsonl", _jsonl("[1, 2, 3]"), "alike", 7),
    "array of two": BadFile(
        "bad.jsonl", f'["{A}","{B}",1]\n["{A}","{B}"]\n'.encode(), "array of 2", 2
    ),
    "array of four": BadFile("bad.jsonl", b'["a","b",1]\n["a","b",1,2]\n', "array of 4", 2),
    "field twice": BadFile("bad.jsonl", _jsonl('{"score":1,"score":2}'), "twice", 7),
    "field missing": BadFile(
        "bad.jsonl", _jsonl(json.dumps({"sentence1": A, "score": 1})), "sentence2", 7
    ),
    "unknown fields": BadFile("bad.jsonl", b'{"x": "a", "y": "b", "z": 1}\n', "x, y, z", 1),
    "no fields": BadFile("bad.jsonl", b"{}\n", "no known fields", 1),
    "sentence that is a number": BadFile("bad.jsonl", _jsonl(_object(17)), "not a JSON string", 7),
    "sentence that is null": BadFile("bad.jsonl", _jsonl(_object(None)), "empty", 7),
    "score true": BadFile("bad.jsonl", _jsonl(_object(score=True)), "not a number", 7),
    "score null": BadFile("bad.jsonl", _jsonl(_object(score=None)), "score is empty", 7),
    "score NaN, jsonl": BadFile("bad.jsonl", _jsonl(_object(score=float("nan"))), "NaN", 7),
    "score of 400 digits": BadFile("bad.jsonl", _jsonl(_object(score=10**400)), "infinite", 7),
    "score of 5000 digits": BadFile(
        "bad.jsonl", _jsonl(_object()[:-4] + "1" * 5000 + "}"), "too long", 7
    ),
    "gzip cut off": BadFile("bad.csv.gz", gzip.compress(LINES.encode())[:-12], "cut off"),
    "gzip damaged": BadFile(
        "bad.csv.gz", gzip.compress(LINES.encode())[:40] + b"\xff" * 40, "damaged"
    ),
    "bzip2 cut off": BadFile("bad.csv.bz2", bz2.compress(LINES.encode())[:-12], "cut off", 1),
    "bzip2 damaged": BadFile(
        "bad.csv.bz2", bz2.compress(LINES.encode())[:40] + b"\xff" * 40, "damaged", 1
    ),
    "bz2 that is not": BadFile("bad.csv.bz2", LINES.encode(), "is not bzip2 data"),
    "xz cut off": BadFile("bad.csv.xz", lzma.compress(LINES.encode())[:-12], "cut off", 8),
    "xz damaged": BadFile(
        "bad.csv.xz", lzma.compress(LINES.encode())[:40] + b"\xff" * 40, "damaged", 1
    ),
    "xz that asks for 1.5 GB": BadFile(
        "bad.csv.xz",
        lzma.compress(
            LINES.encode(), filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 3 << 29}]
        ),
        "needs more than 256 MB of memory",
        1,
    ),
    "xz that is not": BadFile("bad.csv.xz", LINES.encode(), "is not xz data"),
    "zip cut off": BadFile("bad.csv.zip", zip_bytes(pairs_csv=LINES)[:-30], "cut off"),
    "zip damaged": BadFile("bad.csv.zip", zip_bytes(pairs_csv=LINES, broken=True), "damaged", 1),
    "zip that is not": BadFile("bad.csv.zip", LINES.encode(), "is not zip data"),
    "zip without data": BadFile("bad.zip", zip_bytes(notes_txt=LINES), "holds no data file"),
    "zip of two files": BadFile(
        "bad.zip", zip_bytes(a_csv=LINES, b_tsv=LINES), "holds 2 data files where one is read"
    ),
    "zip of Parquet": BadFile("bad.zip", zip_bytes(a_parquet=LINES), "holds a Parquet file"),
    "zip with a password": BadFile("bad.zip", zip_bytes(a_csv=LINES, locked=True), "encrypted"),
    "zip by a rare method": BadFile(
        "bad.zip", zip_bytes(a_csv=LINES, method=zipfile.ZIP_LZMA), "by a method of zip"
    ),
    "a workbook": BadFile(
        "bad.csv", zip_bytes(**{"xl/workbook_xml": LINES}), "is an Excel workbook"
    ),
    "a pointer of Git LFS": BadFile("bad.csv", LFS_POINTER, "git lfs pull"),
    "a pointer of Git LFS, parquet": BadFile("bad.parquet", LFS_POINTER, "git lfs pull"),
    "gz that is not": BadFile("bad.csv.gz", LINES.encode(), "not gzip"),
    "parquet cut off": BadFile("bad.parquet", parquet_bytes(GOOD)[:-10], "cut off"),
    "parquet that is not": BadFile("bad.parquet", LINES.encode(), "damaged"),
    "parquet called csv": BadFile("bad.csv", parquet_bytes(GOOD), ".parquet"),
    "parquet, unknown names": BadFile(
        "bad.parquet", parquet_bytes(GOOD, ["x", "y", "z"]), "x, y, z"
    ),
    "parquet, no names": BadFile("bad.parquet", parquet_bytes(GOOD, [A, B, "z z"]), "sentence1"),
    "parquet, same name twice": BadFile(
        "bad.parquet", parquet_bytes(GOOD, ["s1", "s2", "s1"]), "twice"
    ),
    "parquet, no score": BadFile(
        "bad.parquet", parquet_bytes(GOOD, ["s1", "s2", "z"]), "no score column"
    ),
    "parquet, sentence null": BadFile(
        "bad.parquet", _table(TEXT, pa.array([A, None]), MARKS), "second sentence is empty", 2
    ),
    "parquet, score null": BadFile(
        "bad.parquet", _table(TEXT, TEXT, pa.array([1.0, None])), "score is empty", 2
    ),
    "parquet, score NaN": BadFile(
        "bad.parquet", _table(TEXT, TEXT, pa.array([1.0, float("nan")])), "NaN", 2
    ),
    "parquet, score text": BadFile(
        "bad.parquet", _table(TEXT, TEXT, pa.array(["1", A])), "not a number", 2
    ),
    "parquet, score true": BadFile(
        "bad.parquet", _table(TEXT, TEXT, pa.array([True, False])), "not numbers"
    ),
    "parquet, numbers for text": BadFile("bad.parquet", _table(MARKS, TEXT, MARKS), "not text"),
    "parquet, bytes for text": BadFile(
        "bad.parquet", _table(TEXT.cast(pa.binary()), TEXT, MARKS), "not text"
    ),
    "parquet, not utf-8": BadFile("bad.parquet", _table(INVALID_UTF8, TEXT, MARKS), "not UTF-8", 1),
    "unknown kind": BadFile("bad.xlsx", b"PK", "must end in"),
    "no kind": BadFile("bad", LINES.encode(), "must end in"),
}
