"""Paths given by the user, with `~` and `~name`, and the user's own folders, if there is a home."""

from __future__ import annotations

import os
from pathlib import Path

from nexus_engine.errors import ConfigError, NexusError, one_line

__all__ = ["config_folder", "data_folder", "user_path"]

APP = "nexus"


def user_path(text: str | os.PathLike[str], error: type[NexusError] = ConfigError) -> Path:
    """The path `text` with a leading `~` or `~name` replaced by that user's home.

    Raises:
        NexusError: of the type `error`, if there is no such user or no home.
    """
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError:
        if path.exists():  # a file whose own name begins with ~; shells read it this way too
            return path
        raise error(f"{one_line(path, 200)}: {_no_home(path.parts[0])}") from None


def _no_home(home: str) -> str:
    """The message for the unknown `home`, `~` or `~name`."""
    if home == "~":
        return "your home folder is not known; set HOME, or give the path in full"
    return f"there is no user {one_line(home[1:], 40)!r}; put ./ before a name that begins with ~"


def data_folder() -> Path:
    """`$XDG_DATA_HOME/nexus`, or the platform's default.

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
    """`$XDG_CONFIG_HOME/nexus`, or the platform's default; None without a home folder."""
    import platformdirs

    try:
        return Path(platformdirs.user_config_dir(APP, appauthor=False))
    except RuntimeError:
        return None
