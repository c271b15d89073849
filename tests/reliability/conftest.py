"""A place for the checks: in memory where there is one, since fsync would take most of the time.

What is pushed to the disk, and in which order, is checked by replaying power cuts.
"""

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from reliability import tiny_runs

# What is promised of a run is promised on any base model; the long form trains the real one.
tiny_runs.on_tiny_base = True

MEMORY = Path("/dev/shm")


@contextmanager
def a_place():
    path = Path(tempfile.mkdtemp(prefix="nexus-check-", dir=MEMORY if MEMORY.is_dir() else None))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def place(monkeypatch):
    with a_place() as path:
        monkeypatch.setenv("XDG_DATA_HOME", str(path / "home"))
        yield path
