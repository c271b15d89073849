"""Who else may write where a run lives: what is trained from there can be trusted no further."""

from __future__ import annotations

import stat
from pathlib import Path

from nexus_engine.errors import one_line

__all__ = ["exposures"]


def exposures(folder: Path) -> list[str]:
    """A line for each way in which others than the owner may change what is in `folder`."""
    found = []
    try:
        mode = folder.stat().st_mode
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            found.append(
                f"{one_line(folder, 200)}: others may write there; chmod go-w, and trust what is "
                "in it no further than them"
            )
        for parent in folder.resolve().parents:
            mode = parent.stat().st_mode
            if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
                found.append(
                    f"{one_line(parent, 200)}: everybody may write there, and so put another "
                    "folder in this one's place; chmod o-w"
                )
    except OSError:
        pass
    return found
