"""What the name of a sweep can mean, and the errors of a sweep that cannot be read."""

from __future__ import annotations

import os

import pytest
from another_user import as_another, needs_root, shared_folder
from sweep_support import LR, make_sweep

from nexus_engine.disk.named_folders import NoSuchFolderError
from nexus_engine.errors import RunError
from nexus_engine.reports.gather import gather
from nexus_engine.sweeps.folder import find_sweep, sweeps_root


@pytest.fixture
def root(monkeypatch):
    """The sweeps of this user, in a folder that everybody may enter."""
    with shared_folder() as data:
        monkeypatch.setenv("XDG_DATA_HOME", str(data))
        make_sweep(sweeps_root(), "sound", (LR,))
        yield sweeps_root()


def test_a_sweep_is_meant_by_its_name_its_folder_or_latest(root):
    assert find_sweep("sound").path == root / "sound"
    assert find_sweep(str(root / "sound")).path == root / "sound"
    with pytest.raises(NoSuchFolderError, match="there is no sweep yet; start one with `nexus sw"):
        find_sweep("latest")
    (root / "latest").symlink_to(root / "sound")
    assert find_sweep("latest").path == (root / "sound").resolve()
    for missing in ("nothing", str(root / "nothing")):
        with pytest.raises(NoSuchFolderError, match="no such sweep"):
            find_sweep(missing)


@needs_root
def test_a_sweep_that_may_not_be_read_is_said_to_be_anothers(root):
    (root / "sound").chmod(0o700)
    (root / "latest").symlink_to(root / "sound")
    with as_another():
        for name in ("sound", str(root / "sound")):
            for read in (lambda name: find_sweep(name).record(), lambda name: gather([name])):
                with pytest.raises(RunError, match="permission denied; it belongs to user root"):
                    read(name)
        assert find_sweep("latest").path == (root / "sound").resolve()


@pytest.mark.parametrize(
    ("content", "reason"),
    [("link", "symbolic link"), ("FIFO", "not a regular file"), ("{", "not JSON"),
     ("[]", "not a JSON object"), ("{}", "not its fields"), (None, "No such file")],
)  # fmt: skip
def test_what_is_wrong_with_a_sweep_is_told(root, content, reason):
    file = root / "sound" / "sweep.json"
    file.unlink()
    if content == "link":
        file.symlink_to("/dev/null")
    elif content == "FIFO":
        os.mkfifo(file)
    elif content is not None:
        file.write_text(content)
    with pytest.raises(RunError, match=f"sweep.json: not a readable sweep .*{reason}"):
        find_sweep("sound").record()
