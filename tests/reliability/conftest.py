"""A place for the checks: in memory where there is one, since fsync would take most of the time.

What is pushed to the disk, and in which order, is checked by replaying power cuts.
"""

import shutil
import tempfile
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")


@pytest.fixture
def place():
    path = Path(tempfile.mkdtemp(prefix="nexus-check-", dir=MEMORY if MEMORY.is_dir() else None))
    yield path
    shutil.rmtree(path, ignore_errors=True)
