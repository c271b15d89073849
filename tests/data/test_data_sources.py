"""A path that cannot be read is refused at once, with a reason; nothing ever blocks."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from data_cases import delimited_text, pair_rows

from nexus_engine.data import load_data, load_split, load_unscored
from nexus_engine.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def never_block() -> Iterator[None]:
    """Fail a test that blocks: opening a pipe may wait forever."""

    def give_up(*_: object) -> None:
        raise TimeoutError("blocked")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def assert_refused(path: Path | str, reason: str) -> None:
    for load in (load_data, load_unscored):
        with pytest.raises(DataError) as refused:
            load(str(path))
        assert refused.value.__cause__ is None
        assert str(refused.value).isprintable()
        assert reason in str(refused.value)


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pairs.csv")
    assert_refused(tmp_path / "pairs.csv", "is a pipe")


def test_a_pipe_in_a_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "train.csv")
    with pytest.raises(DataError, match=r"train\.csv: is a pipe"):
        load_data(str(tmp_path))


def test_what_turns_into_a_pipe_is_refused_without_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pairs.csv"
    other = tmp_path / "regular.csv"
    other.write_text("x")
    os.mkfifo(path)
    status = os.stat(other)
    monkeypatch.setattr("nexus_engine.data.reading.sources.os.stat", lambda *_: status)
    with pytest.raises(DataError, match="is a pipe"):
        load_unscored(path)


def test_a_device_is_refused() -> None:
    assert_refused("/dev/zero", "is a device")


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path may have 108 bytes only
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.csv")
        assert_refused("s.csv", "is a socket")


def test_a_folder_where_a_file_is_expected_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"):
        load_unscored(tmp_path)
    (tmp_path / "train.csv").mkdir()
    with pytest.raises(DataError, match=r"train\.csv: is a folder"):
        load_data(str(tmp_path))


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").symlink_to(tmp_path / "b.csv")
    (tmp_path / "b.csv").symlink_to(tmp_path / "a.csv")
    assert_refused(tmp_path / "a.csv", "loop")


def test_a_link_to_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").symlink_to(tmp_path / "gone.csv")
    assert_refused(tmp_path / "a.csv", "symbolic link to something")


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text(delimited_text(pair_rows()))
    (tmp_path / "link.csv").symlink_to("pairs.csv")
    assert load_data(str(tmp_path / "link.csv")).name == "link.csv"


def _no_permission(*_: object, **__: object) -> int:
    raise PermissionError(13, "Permission denied")


def _read_error(*_: object, **__: object) -> int:
    raise OSError(5, "Input/output error")


@pytest.mark.parametrize(
    ("fault", "reason"), [(_no_permission, "no permission"), (_read_error, "read error")]
)
def test_what_the_system_refuses_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., int], reason: str
) -> None:
    # The fault is injected, because chmod does not stop tests that run as root.
    path = tmp_path / "pairs.csv"
    path.write_text(delimited_text(pair_rows()))
    monkeypatch.setattr("nexus_engine.data.reading.sources.os.open", fault)
    with pytest.raises(DataError, match=rf"pairs\.csv: .*{reason}"):
        load_data(str(path))


def test_a_folder_without_permission_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nexus_engine.data.files.folders.os.scandir", _no_permission)
    with pytest.raises(DataError, match="no permission"):
        load_data(str(tmp_path))


def test_a_mistyped_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("x")
    assert_refused(tmp_path / "pears.csv", f"did you mean {tmp_path / 'pairs.csv'}?")
    assert_refused(tmp_path / "something_else.parquet", "does not exist; check the path")
    assert_refused(tmp_path / "no" / "pairs.csv", "nor does the folder")


@pytest.mark.parametrize(
    "name",
    [
        "nul\0.csv",
        "x" * 300 + ".csv",
        "x/" * 3000,
        "pairs.csv/more.csv",
        "",
        "-",
        "stdin",
        "\ud800.csv",
    ],
)
def test_names_that_no_file_has_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "pairs.csv").write_text("x")
    with pytest.raises(DataError) as refused:
        load_data(str(tmp_path / name) if name not in ("", "-", "stdin") else name)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("name", ["[1]*?.csv", "a::b.csv", "x y.csv", "-rf.csv", "\u202e\x1b.csv"])
def test_odd_names_are_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(delimited_text(pair_rows()))
    data = load_data(str(tmp_path / name))
    assert data.name.isprintable()
    assert all(note.isprintable() for note in data.notes)


def test_a_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pairs.csv").write_text(delimited_text(pair_rows()))
    assert len(load_split("~/pairs.csv", "all")) == 40
    assert len(load_unscored("~/pairs.csv")) == 40


def write_split(folder: Path, *names: str) -> None:
    for place, name in enumerate(names):
        rows = [(f"{place} {a}", f"{place} {b}", score) for a, b, score in pair_rows(60)]
        (folder / name).write_text(delimited_text(rows))


@pytest.mark.parametrize("dev", ["dev.csv", "validation.csv", "valid.csv", "Val.csv", "DEV.CSV"])
def test_a_folder_of_splits_is_kept_as_given(tmp_path: Path, dev: str) -> None:
    write_split(tmp_path, "train.csv", dev, "test.csv")
    (tmp_path / "README.md").write_text("no split")
    (tmp_path / "other.csv").write_text("no split")
    data = load_data(str(tmp_path))
    assert [len(split) for split in (data.train, data.dev, data.test)] == [60, 60, 60]
    assert data.dev.first[0].as_py().startswith("1 ")
    assert not any("cut" in note for note in data.notes)


def test_two_files_for_a_split_are_refused(tmp_path: Path) -> None:
    write_split(tmp_path, "train.csv", "dev.csv", "val.csv", "test.csv")
    with pytest.raises(DataError, match=r"both dev\.csv and val\.csv could be the dev split"):
        load_data(str(tmp_path))


def test_shards_are_joined_and_a_missing_one_is_noticed(tmp_path: Path) -> None:
    write_split(
        tmp_path, "train-00000-of-00002.csv", "train-00001-of-00002.csv", "dev.csv", "test.csv"
    )
    assert len(load_data(str(tmp_path)).train) == 120
    (tmp_path / "train-00001-of-00002.csv").unlink()
    with pytest.raises(DataError, match="1 of the 2 parts"):
        load_data(str(tmp_path))


def test_a_folder_without_splits_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no train, dev or test file"):
        load_data(str(tmp_path))
    (tmp_path / "pairs.csv").write_text("x")
    with pytest.raises(DataError, match=r"to load its only data file, give .*pairs\.csv"):
        load_data(str(tmp_path))


def test_a_folder_needs_train_for_training_and_not_for_measuring(tmp_path: Path) -> None:
    write_split(tmp_path, "test.csv")
    with pytest.raises(DataError, match="no train file"):
        load_data(str(tmp_path))
    assert len(load_split(str(tmp_path), "test")) == 60


def test_all_of_a_folder_is_its_splits_joined(tmp_path: Path) -> None:
    write_split(tmp_path, "train.csv", "dev.csv", "test.csv")
    assert len(load_split(str(tmp_path), "all")) == 180


def test_settings_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(delimited_text(pair_rows()))
    with pytest.raises(ConfigError, match="seed"):
        load_data(str(path), seed=-1)
    for score_range in ((5.0, 0.0), (1.0, 1.0), (0.0, float("inf")), (float("nan"), 1.0)):
        with pytest.raises(ConfigError, match="score range"):
            load_data(str(path), score_range=score_range)
    with pytest.raises(ConfigError, match="split"):
        load_split(str(path), "validation")  # type: ignore[arg-type]
