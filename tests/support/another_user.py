"""Acting as another user of the machine, in a folder that the other user can reach."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # noqa: F401 - imported now, because another user may not read its files
import pytest

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


@contextmanager
def as_another() -> Iterator[None]:
    """Run the block as a user who owns nothing."""
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A new folder of mode 0755, removed in the end; the other user can reach it.

    A machine may close its folder for temporary files to others, so /var/tmp and /dev/shm are
    tried as well. Where all are closed, the test is skipped. A user who is not root cannot try,
    and gets the first.
    """
    for parent in (tempfile.gettempdir(), "/var/tmp", "/dev/shm"):
        if not os.path.isdir(parent):
            continue
        folder = Path(tempfile.mkdtemp(prefix="nexus-shared-", dir=parent))
        folder.chmod(0o755)
        try:
            if os.geteuid() == 0 and not _another_reads(folder):
                continue
            yield folder
            return
        finally:
            shutil.rmtree(folder)
    pytest.skip("another user can reach no folder for temporary files on this machine")


def _another_reads(folder: Path) -> bool:
    try:
        with as_another():
            os.listdir(folder)
    except PermissionError:
        return False
    return True
