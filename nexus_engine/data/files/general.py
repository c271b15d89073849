"""The general sentences that ship with the project, for rehearsal."""

from __future__ import annotations

from pathlib import Path

from nexus_engine.data.files.assets import assets_dir
from nexus_engine.data.messages import file_error, shown_path
from nexus_engine.data.reading.sources import file_source
from nexus_engine.data.reading.text_lines import text_lines

__all__ = ["load_general"]


def load_general(*, assets: Path | None = None) -> tuple[str, ...]:
    """General sentences of many kinds, each once, in the order of their files' names.

    `assets` is the folder that holds `general`; by default the one that ships with the project.
    Raises DataError when they are missing or cannot be read.
    """
    folder = (assets or assets_dir()) / "general"
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise file_error(shown_path(folder), "holds no general sentences; reinstall the project")
    lines = (line.strip() for file in files for line in text_lines(file_source(file)))
    return tuple(dict.fromkeys(line for line in lines if line))
