"""Opening files in folders of others: only regular files, without waiting, with bounded reads."""

import errno
import json
import os

import pytest

from nexus_engine.disk.regular_files import open_reader, open_regular, read_json, read_regular


def test_a_regular_file_is_read(tmp_path):
    (tmp_path / "run.json").write_text('{"a": [1, 2.5, "x"]}')
    assert read_json(tmp_path / "run.json") == {"a": [1, 2.5, "x"]}
    with open_reader(tmp_path / "run.json") as file:
        assert file.read(1) == b"{"


def test_a_link_is_refused_and_its_target_left(tmp_path):
    target = tmp_path / "mine"
    target.write_text("precious\n")
    (tmp_path / "audit.jsonl").symlink_to(target)
    for flags in (os.O_RDONLY, os.O_WRONLY | os.O_APPEND | os.O_CREAT):
        with pytest.raises(OSError, match=rf"Errno {errno.ELOOP}\b"):
            open_regular(tmp_path / "audit.jsonl", flags)
    assert target.read_text() == "precious\n"


def test_a_dangling_link_makes_no_file(tmp_path):
    (tmp_path / "audit.jsonl").symlink_to(tmp_path / "new")
    with pytest.raises(OSError, match="audit"):
        open_regular(tmp_path / "audit.jsonl", os.O_WRONLY | os.O_CREAT)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_APPEND, os.O_RDWR])
def test_a_fifo_is_refused_without_waiting(tmp_path, flags):
    os.mkfifo(tmp_path / "events.jsonl")
    with pytest.raises(OSError, match=rf"Errno ({errno.EINVAL}|{errno.ENXIO})\b"):
        open_regular(tmp_path / "events.jsonl", flags)


def test_a_folder_and_a_device_are_refused(tmp_path):
    for path in (tmp_path, tmp_path.__class__("/dev/zero")):
        with pytest.raises(OSError, match="not a regular file"):
            read_regular(path, 10)


def test_a_file_larger_than_allowed_is_refused(tmp_path):
    path = tmp_path / "huge"
    path.touch()
    os.truncate(path, 10**12)  # a sparse file: it takes no room
    with pytest.raises(OSError, match="larger than 1,000 bytes"):
        read_regular(path, 1000)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[" * 100_000, "too deep"),
        (json.dumps(10**400), "beyond 64 bits"),
        (json.dumps(2**63 + 1), "beyond 64 bits"),
        ("{", "Expecting"),
        ("\udcff", "decode"),
    ],
)
def test_unusable_json_is_a_value_error(tmp_path, content, reason):
    (tmp_path / "run.json").write_text(content, errors="surrogateescape")
    with pytest.raises(ValueError, match=reason):
        read_json(tmp_path / "run.json")


def test_a_new_file_is_for_its_owner_alone(tmp_path):
    old = os.umask(0)
    try:
        os.close(open_regular(tmp_path / "new", os.O_WRONLY | os.O_CREAT))
    finally:
        os.umask(old)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
