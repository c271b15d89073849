"""Files that are created, and what is left of one that could not be."""

from __future__ import annotations

import errno
import os

import pytest

from nexus_engine.disk.files import create_file


def test_a_file_is_created_once_and_for_its_owner_alone(tmp_path):
    os.close(create_file(tmp_path / "new"))
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        create_file(tmp_path / "new")


def test_nothing_is_left_of_a_file_whose_mode_cannot_be_set(tmp_path, monkeypatch):
    def refused(handle, mode):
        raise OSError(errno.EPERM, "not permitted")

    monkeypatch.setattr(os, "fchmod", refused)
    with pytest.raises(OSError, match="not permitted"):
        create_file(tmp_path / "new")
    assert not (tmp_path / "new").exists()
