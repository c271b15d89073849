"""Where label files lie, and who rates, if the user says nothing else."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from nexus_engine.errors import ConfigError, one_line
from nexus_engine.labels.reading import is_label_file
from nexus_engine.system.user_paths import data_folder

__all__ = ["MAX_RATER_CHARACTERS", "default_labels", "default_rater", "known_files", "rater_name"]

LABELS_NAME = "labels.jsonl"
MAX_RATER_CHARACTERS = 60


def default_labels() -> Path:
    """`labels.jsonl` in the user's data folder.

    Raises:
        ConfigError: this process has no home folder.
    """
    return data_folder() / LABELS_NAME


def known_files(folder: Path) -> list[Path]:
    """The label files in `folder`, by name; none if it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith(".jsonl"))
    except (OSError, ValueError):
        return []
    return [folder / name for name in names if is_label_file(folder / name)]


def default_rater() -> str:
    """The name of this process's user; its number where the system has no name for it."""
    try:
        return rater_name(pwd.getpwuid(os.geteuid()).pw_name)
    except (KeyError, ConfigError):
        return f"user {os.geteuid()}"


def rater_name(text: str) -> str:
    """`text` as the name of a rater: on one line, at most 60 characters.

    Raises:
        ConfigError: nothing of it can be shown.
    """
    name = one_line(text, MAX_RATER_CHARACTERS)
    if not name:
        raise ConfigError("a rater needs a name that can be shown; give --rater NAME")
    return name
