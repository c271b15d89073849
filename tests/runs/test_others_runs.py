"""Runs of another user: an unreadable one is not called missing, a readable one is not changed."""

from __future__ import annotations

import os

import pytest
from another_user import as_another, needs_root, shared_folder
from app_support import whole_run, write_run

from nexus_engine.errors import RunError
from nexus_engine.reports.gather import gather
from nexus_engine.runs.folder import find_run, remove_run
from nexus_engine.runs.index import RunIndex
from nexus_engine.runs.resuming import resumable
from nexus_engine.runs.saved_model import load_model
from nexus_tui.work.background import stop_run


@pytest.fixture
def root(monkeypatch):
    """The runs of this user, in a folder that everybody may enter."""
    with shared_folder() as data:
        monkeypatch.setenv("XDG_DATA_HOME", str(data))
        runs = data / "nexus" / "runs"
        for name in ("closed", "open"):
            write_run(runs, name, whole_run())
        for path in (data, *data.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        (runs / "closed").chmod(0o700)
        yield runs


@needs_root
@pytest.mark.parametrize("read", [find_run, load_model, lambda name: gather([name]), resumable])
def test_a_run_that_may_not_be_read_is_said_to_be_anothers(root, read):
    with as_another(), pytest.raises(RunError, match="permission denied; it belongs to user root"):
        read(str(root / "closed"))
    with pytest.raises(RunError, match="no such run"):
        read(str(root / "missing"))


@needs_root
def test_a_list_says_what_it_may_not_read_and_lists_the_rest(root):
    index = RunIndex(root)
    with as_another():
        assert [run.name for run in index.refresh()] == ["open"]
    assert len(index.unreadable) == 1
    assert "permission denied; it belongs to user root" in index.unreadable[0]
    root.chmod(0o700)
    with as_another():
        assert index.refresh() == []
    assert len(index.unreadable) == 1


@needs_root
def test_anothers_run_is_neither_resumed_nor_stopped_nor_removed(root):
    path = root / "open"
    log = path / "events.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:-1]))  # interrupted
    with as_another():
        with pytest.raises(RunError, match="belongs to user root; copy the folder"):
            resumable(str(path))
        with pytest.raises(RunError, match="belongs to user root"):
            remove_run(str(path))
        with pytest.raises(RunError, match="is not live"):
            stop_run(path, 1)
    with find_run(str(path)).lock:
        (path / "lock").chmod(0o644)
        with as_another(), pytest.raises(RunError, match="belongs to user root"):
            stop_run(path, 1)
    assert find_run(str(path)).events()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_closed_run_of_your_own_is_said_to_be_yours(root):
    (root / "closed").chmod(0)
    try:
        with pytest.raises(RunError, match="belongs to you: chmod"):
            find_run(str(root / "closed"))
    finally:
        (root / "closed").chmod(0o700)
