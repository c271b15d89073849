"""Packed files and text in Windows-1252: read as they are, or refused in one line."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import pytest
from data_cases import delimited_text, json_text, pair_rows, zip_bytes

from nexus_engine.data import load_data, load_split, load_unscored
from nexus_engine.data.files.glance import glance
from nexus_engine.data.reading import compression
from nexus_engine.data.reading.sources import Source
from nexus_engine.data.reading.text_lines import text_lines, text_pieces
from nexus_engine.errors import DataError

ROWS = pair_rows()
TEXT = delimited_text(ROWS)
NOTE = "not UTF-8: read as Windows-1252"


def zipped(content: bytes) -> bytes:
    return zip_bytes(pairs_csv=content.decode("latin-1")) if content.isascii() else b""


PACK = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zip": zipped}


@pytest.mark.parametrize("suffix", PACK)
def test_packed_files_name_the_splits_of_a_folder(tmp_path: Path, suffix: str) -> None:
    for split in ("train", "dev", "test"):
        rows = [(f"{split} {a}", f"{b} {split}", score) for a, b, score in ROWS]
        content = delimited_text(rows).encode()
        (tmp_path / f"{split}.csv.{suffix}").write_bytes(PACK[suffix](content))
    data = load_data(str(tmp_path))
    assert [len(data.train), len(data.dev), len(data.test)] == [40, 40, 40]
    assert data.dev.first[0].as_py().startswith("dev ")
    assert glance(str(tmp_path)).files == 3


def test_zip_files_are_named_by_their_split_alone(tmp_path: Path) -> None:
    for split in ("train", "test"):
        rows = [(f"{split} {a}", f"{b} {split}", score) for a, b, score in ROWS]
        (tmp_path / f"{split}.zip").write_bytes(zip_bytes(any_jsonl=json_text(rows)))
    assert len(load_data(str(tmp_path)).test) == 40


@pytest.mark.parametrize("suffix", PACK)
def test_packed_data_is_told_by_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    packed = PACK[suffix](TEXT.encode())
    (tmp_path / "pairs.csv").write_bytes(packed)
    expected = [first for first, _, _ in ROWS]
    assert load_split(str(tmp_path / "pairs.csv"), "all").first.to_pylist() == expected
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(packed)))
    assert load_unscored("-").first.to_pylist() == expected


def test_streams_that_follow_each_other_are_one_text(tmp_path: Path) -> None:
    half = len(TEXT) // 2
    parts = TEXT[:half].encode(), TEXT[half:].encode()
    for suffix in ("gz", "bz2", "xz"):
        path = tmp_path / f"pairs.csv.{suffix}"
        padding = b"\0" * 8 if suffix == "xz" else b""
        path.write_bytes(padding.join([*map(PACK[suffix], parts), b""]))
        assert len(load_split(str(path), "all")) == 40


@pytest.mark.parametrize("suffix", PACK)
def test_packed_data_cut_off_anywhere_is_refused(tmp_path: Path, suffix: str) -> None:
    content = PACK[suffix](TEXT.encode())
    path = tmp_path / f"pairs.csv.{suffix}"
    for end in range(0, len(content) - 1, 11):
        path.write_bytes(content[:end])
        with pytest.raises(DataError, match=rf"pairs\.csv\.{suffix}"):
            load_data(str(path))


@pytest.mark.parametrize("suffix", PACK)
def test_a_bomb_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(compression, "BOMB_BYTES", 100_000)
    monkeypatch.setattr(compression, "BOMB_RATIO", 200)
    path = tmp_path / f"pairs.csv.{suffix}"
    path.write_bytes(PACK[suffix](b"a,b,1\n" * 200_000))
    with pytest.raises(DataError, match="unpacks to more than 200 times its size"):
        load_data(str(path))
    monkeypatch.undo()
    assert sum(1 for _ in text_lines(Source("pairs", path))) == 200_000


def test_what_systems_add_to_zip_files_is_no_data(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("set/", "")
        archive.writestr("set/pairs.csv", TEXT)
        archive.writestr("__MACOSX/set/._pairs.csv", "\0\5\26")
        archive.writestr("set/LICENSE", "free")
    (tmp_path / "pairs.zip").write_bytes(packed.getvalue())
    assert len(load_split(str(tmp_path / "pairs.zip"), "all")) == 40


# Windows-1252

WORDS = "caf\u00e9 \u2019so\u2019 \u20ac \u00fc\u00df"


def western(rows: int = 40, *, first: int = 0) -> str:
    """CSV whose rows from `first` on hold letters beyond ASCII."""
    return delimited_text(
        [(f"{a} {WORDS}" if i >= first else a, b, s) for i, (a, b, s) in enumerate(pair_rows(rows))]
    )


@pytest.mark.parametrize("first", [0, 5, 39])
def test_windows_1252_is_read_and_noted(tmp_path: Path, first: int) -> None:
    text = western(first=first)
    (tmp_path / "utf.csv").write_text(text, newline="")
    (tmp_path / "western.csv").write_bytes(text.encode("cp1252"))
    data = load_data(str(tmp_path / "western.csv"))
    expected = load_data(str(tmp_path / "utf.csv"))
    assert data.fingerprint == expected.fingerprint
    assert data.notes.count(NOTE) == 1
    assert NOTE not in expected.notes


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz"])
def test_packed_windows_1252_far_into_a_file_is_read(tmp_path: Path, suffix: str) -> None:
    text = western(9000, first=8990)
    path = tmp_path / f"western.csv.{suffix}"
    path.write_bytes(PACK[suffix](text.encode("cp1252")))
    pairs = load_split(str(path), "all", score_range=(0, 5))
    assert len(pairs) == 9000
    assert [WORDS in text for text in pairs.first.to_pylist()].index(True) == 8990


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_pieces_of_windows_1252_join_to_the_text(size: int) -> None:
    text = json_text(pair_rows(200)) + '{"x": "caf\u00e9"}\n'
    source = Source("pairs", None, text.encode("cp1252"))
    assert "".join(text_pieces(source, size)) == text
    assert source.remarks == [NOTE]


def test_only_utf_can_be_asked_for() -> None:
    source = Source("pairs", None, western().encode("cp1252"))
    with pytest.raises(DataError, match=r"pairs:2: .*iconv -f WINDOWS-1252 -t UTF-8"):
        list(text_lines(source, only_utf=True))
    assert source.remarks == []


UTF_8 = western().encode()
NEITHER = {
    "one wrong byte after UTF-8": (UTF_8 + b"caf\xe9,x,3\n", "the text before it is UTF-8"),
    "one wrong byte before UTF-8": (
        UTF_8.replace(b"\n", b"\ncaf\xe9,x,3\n", 1), "save the file again as UTF-8"
    ),
    "a mark of UTF-8": (b"\xef\xbb\xbf" + western().encode("cp1252"), "save the file again"),
    "Greek": ("\u03b1\u03b2\u03b3\u03b4 \u03b5\u03b6,\u03b7,1\n".encode("cp1253") * 30, "again"),
    "Japanese": ("\u65e5\u672c\u8a9e,\u6771\u4eac,1\n".encode("shift_jis") * 30, "again"),
    "random bytes": (bytes(range(1, 256)) * 9, "save the file again"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "words"), NEITHER.values(), ids=NEITHER)
def test_what_is_neither_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.csv:\d+: is not UTF-8 text") as refusal:
        load_data(str(tmp_path / "bad.csv"))
    assert words in str(refusal.value)
