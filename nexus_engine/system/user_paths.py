"""Paths that a user gave, and the folders that belong to a user: `~`, `~name`, no home at all."""

from __future__ import annotations

import os
from pathlib import Path

from nexus_engine.errors import ConfigError, NexusError, one_line

__all__ = ["config_folder", "data_folder", "user_path"]

APP = "nexus"


def user_path(given: str | os.PathLike[str], error: type[NexusError] = ConfigError) -> Path:
    """`given` with a `~` or `~name` at its beginning replaced by that user's home.

    Raises:
        NexusError: of the type `error`, where there is no such user or no home.
    """
    path = Path(given)
    try:
        return path.expanduser()
    except RuntimeError:
        if path.exists():  # a file whose own name begins with ~, as a shell takes it too
            return path
        raise error(f"{one_line(path, 200)}: {_no_home(path.parts[0])}") from None


def _no_home(first: str) -> str:
    if first == "~":
        return "your home folder is not known; set HOME, or give the path in full"
    return f"there is no user {one_line(first[1:], 40)!r}; put ./ before a name that begins with ~"


def data_folder() -> Path:
    """`$XDG_DATA_HOME/nexus`, or this platform's own place.

    Raises:
        ConfigError: this process has no home folder.
    """
    import platformdirs

    try:
        return Path(platformdirs.user_data_dir(APP, appauthor=False))
    except RuntimeError:
        raise ConfigError(
            "your home folder is not known, so there is no place for runs; set HOME or "
            "XDG_DATA_HOME, or name folders in full (--out DIR)"
        ) from None


def config_folder() -> Path | None:
    """`$XDG_CONFIG_HOME/nexus`, or this platform's own place; None without a home folder."""
    import platformdirs

    try:
        return Path(platformdirs.user_config_dir(APP, appauthor=False))
    except RuntimeError:
        return None
