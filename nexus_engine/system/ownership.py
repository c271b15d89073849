"""Who owns a file or folder, for messages about missing permissions."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from nexus_engine.errors import one_line

__all__ = ["may_not_read", "not_permitted", "owner_of"]


def owner_of(path: Path) -> str:
    """The owner of `path`, or of its nearest visible parent; "you" for this user."""
    for candidate in (path, *path.parents):
        try:
            uid = os.stat(candidate, follow_symlinks=False).st_uid
        except OSError:
            continue
        if uid == os.geteuid():
            return "you"
        try:
            return f"user {one_line(pwd.getpwuid(uid).pw_name, 60)}"
        except KeyError:
            return f"user {uid}"
    return "another user"


def not_permitted(path: Path) -> str:
    """The message for a `path` that this user may not read: its owner, and what to do."""
    owner = owner_of(path)
    advice = "chmod u+rwX it" if owner == "you" else "ask for permission to read it, or for a copy"
    return f"permission denied; it belongs to {owner}: {advice}"


def may_not_read(path: Path) -> bool:
    """Whether a missing permission hides the file at `path`."""
    try:
        os.stat(path, follow_symlinks=False)
    except PermissionError:
        return True
    except (OSError, ValueError):
        pass
    return False
