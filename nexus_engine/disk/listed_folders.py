"""The folders that a list of runs or of sweeps is made from."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["LATEST", "listed_folders"]

LATEST = "latest"
"""The link that stands for the newest run or sweep."""


def listed_folders(root: Path) -> set[Path]:
    """The folders under `root`, and the one elsewhere that `latest` means; none without `root`."""
    found: set[Path] = set()
    with contextlib.suppress(OSError), os.scandir(root) as entries:
        for entry in entries:
            with contextlib.suppress(OSError, RuntimeError):  # such as a link that leads to itself
                if entry.is_dir(follow_symlinks=False):
                    found.add(root / entry.name)
                elif entry.name == LATEST and entry.is_dir():
                    found.add(Path(entry.path).resolve())
    return found
