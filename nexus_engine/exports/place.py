"""The place of an export: OUT, which must not exist, on a disk with room for it.

Everything is written into the hidden folder beside it and renamed to OUT at the end, so OUT is
complete or absent. A killed export leaves its hidden folder; the next one to OUT removes it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from nexus_engine.disk.new_folders import usable_path
from nexus_engine.errors import ConfigError, ResourceError, one_line
from nexus_engine.exports.hidden_folder import clear_killed
from nexus_engine.exports.options import Format

__all__ = ["free_place"]

ROOM_BYTES: dict[Format, int] = {
    "st": 100_000_000,
    "onnx": 100_000_000,
    "onnx-int8": 230_000_000,  # 200 MB of them only while the weights are rounded
    "gguf": 100_000_000,
    "delta": 4_000_000,
}


def free_place(out: Path, format_: Format) -> Path:
    """The absolute path of `out`, once killed exports to it are cleared away.

    Raises:
        ConfigError: `out` exists, or cannot be made there.
        ResourceError: too few bytes are free there.
        RunError: another process writes an export to `out`.
        OSError: what a killed export left cannot be removed.
    """
    path = usable_path(out)
    clear_killed(path)
    if os.path.lexists(path):
        raise ConfigError(f"--out {one_line(path)}: exists; name a new folder")
    if not path.parent.is_dir():
        raise ConfigError(f"--out {one_line(path)}: there is no folder {one_line(path.parent)}")
    free = shutil.disk_usage(path.parent).free
    if free < ROOM_BYTES[format_]:
        raise ResourceError(
            f"--out {one_line(path)}: {free / 1e6:,.0f} MB are free there, and --format {format_} "
            f"takes {ROOM_BYTES[format_] / 1e6:,.0f} MB while it is written; free some room"
        )
    return path
