"""Whose a file or folder is: said where this user may not read or write it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from nexus_engine.errors import one_line

__all__ = ["may_not_read", "not_permitted", "whose"]


def whose(path: Path) -> str:
    """The user that `path` belongs to, or what of it can be seen; "you" for this one."""
    for place in (path, *path.parents):
        try:
            owner = os.stat(place, follow_symlinks=False).st_uid
        except OSError:
            continue
        if owner == os.geteuid():
            return "you"
        try:
            return f"user {one_line(pwd.getpwuid(owner).pw_name, 60)}"
        except KeyError:
            return f"user {owner}"
    return "another user"


def not_permitted(path: Path) -> str:
    """The words for a `path` that this user may not read."""
    owner = whose(path)
    advice = "chmod u+rwX it" if owner == "you" else "ask for permission to read it, or for a copy"
    return f"permission denied; it belongs to {owner}: {advice}"


def may_not_read(path: Path) -> bool:
    """Whether permission alone is why nothing can be learned of the file at `path`."""
    try:
        os.stat(path, follow_symlinks=False)
    except PermissionError:
        return True
    except (OSError, ValueError):
        pass
    return False
