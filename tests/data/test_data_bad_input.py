"""Every file of the table is refused with file, row and reason on one line, without the data."""

from __future__ import annotations

import gc
import os
import re
import sys
from pathlib import Path

import pytest
from data_cases import BAD_FILES, CANARY, HEADER, BadFile, delimited_text, pair_rows

from nexus_engine.data import load_data, load_split
from nexus_engine.errors import DataError, ExitCode


@pytest.mark.parametrize("bad", BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_bad_file_is_refused_with_file_row_and_reason(tmp_path: Path, bad: BadFile) -> None:
    path = tmp_path / bad.name
    path.write_bytes(bad.content)
    with pytest.raises(DataError) as refusal:
        load_data(str(path))
    message = str(refusal.value)
    assert message.startswith(str(path))
    assert bad.reason in message
    row = re.match(r":(\d+): ", message[len(str(path)) :])
    if bad.row is not None:
        assert row is not None, message
        assert int(row[1]) == bad.row, message
    assert message.isprintable()
    assert CANARY not in message
    assert len(message) < 400 + len(str(path))
    assert refusal.value.exit_code is ExitCode.DATA
    # The errors of the libraries may hold data, which a traceback must not show.
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_a_bad_split_of_a_folder_is_named(tmp_path: Path, split: str) -> None:
    for name in ("train", "dev", "test"):
        rows = pair_rows()
        if name == split:
            rows = [(first, second, 3.0) for first, second, _ in rows]
        (tmp_path / f"{name}.csv").write_text(delimited_text(rows))
    with pytest.raises(DataError, match=rf"{split}\.csv: all 40 scores are equal"):
        load_data(str(tmp_path))


def test_a_score_outside_the_given_range_is_refused_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(delimited_text(pair_rows()))
    with pytest.raises(DataError, match=r"pairs\.csv:18: the score 3\.2 is outside 0\.\.3"):
        load_data(str(path), score_range=(0, 3))


def test_control_characters_of_names_and_columns_do_not_reach_the_message(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b]52;c;x\x07\u202eb\nc.csv"
    path.write_text("\x1b[31mx,\u202ey,z\n" + "a,b,1\n" * 3)
    with pytest.raises(DataError) as refusal:
        load_data(str(path))
    assert str(refusal.value).isprintable()
    assert "c.csv:1:" in str(refusal.value)


def test_a_first_row_that_may_be_data_is_not_quoted_as_names(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(f"{CANARY},{CANARY} drinks,high\na,b,1\nc,d,2\n")
    with pytest.raises(DataError) as refusal:
        load_data(str(path))
    assert CANARY not in str(refusal.value)


def test_the_same_file_is_refused_by_load_split(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(",".join(HEADER) + "\na,b,1\na,b,1\n")
    with pytest.raises(DataError, match="equal"):
        load_split(str(path), "all")


LEFT_OPEN = (
    "unclosed quote, the reading stops soon after", "cell of 1 MB", "json list on a line",
    "field missing", "parquet, sentence null", "parquet, score text",
)  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("name", LEFT_OPEN)
def test_a_refused_file_is_closed_while_the_error_is_kept(tmp_path: Path, name: str) -> None:
    path = tmp_path / BAD_FILES[name].name
    path.write_bytes(BAD_FILES[name].content)
    gc.disable()
    try:
        with pytest.raises(DataError) as refusal:
            load_data(str(path))
        handles = [str(entry) for entry in Path("/proc/self/fd").iterdir() if entry.exists()]
        assert str(path) not in [os.readlink(handle) for handle in handles]
        assert refusal.value.__traceback__ is not None
    finally:
        gc.enable()
