"""Warnings about run folders that other users may change."""

from __future__ import annotations

import stat
from pathlib import Path

from nexus_engine.errors import one_line

__all__ = ["exposures"]


def exposures(folder: Path) -> list[str]:
    """A line for each way in which users other than the owner may change what `folder` holds."""
    warnings = []
    try:
        mode = folder.stat().st_mode
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            warnings.append(
                f"{one_line(folder, 200)}: others may write there; run chmod go-w on it, and trust "
                "its content only if you trust them"
            )
        for parent in folder.resolve().parents:
            mode = parent.stat().st_mode
            if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
                warnings.append(
                    f"{one_line(parent, 200)}: everybody may write there and so replace the run's "
                    "folder by another; run chmod o-w on it"
                )
    except OSError:
        pass
    return warnings
