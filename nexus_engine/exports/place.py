"""The place of an export: OUT, which must not exist, and the hidden folder beside it.

Everything is written into the hidden folder and renamed to OUT at the end, so OUT is complete or
absent. A killed export leaves its hidden folder; the next one to OUT removes it.
"""

from __future__ import annotations

import glob
import os
import shutil
from pathlib import Path

import psutil

from nexus_engine.disk.new_folders import usable_path
from nexus_engine.errors import ConfigError, ResourceError, one_line
from nexus_engine.exports.options import Format

__all__ = ["free_place", "hidden_folder"]

ROOM_BYTES: dict[Format, int] = {
    "st": 100_000_000,
    "onnx": 100_000_000,
    "onnx-int8": 230_000_000,  # 200 MB of them only while the weights are rounded
    "gguf": 100_000_000,
    "delta": 4_000_000,
}


def hidden_folder(path: Path, pid: int) -> Path:
    """The folder in which the process `pid` writes an export to `path`."""
    return path.with_name(f".{path.name}.export-{pid}")


def free_place(out: Path, format_: Format) -> Path:
    """The absolute path of `out`, once killed exports to it are cleared away.

    Raises:
        ConfigError: `out` exists, or cannot be made there.
        ResourceError: too few bytes are free there.
    """
    path = usable_path(out)
    if os.path.lexists(path):
        raise ConfigError(f"--out {one_line(path)}: exists; name a new folder")
    if not path.parent.is_dir():
        raise ConfigError(f"--out {one_line(path)}: there is no folder {one_line(path.parent)}")
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.export-*"):
        pid = leftover.name.rpartition("-")[2]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(leftover, ignore_errors=True)
    free = shutil.disk_usage(path.parent).free
    if free < ROOM_BYTES[format_]:
        raise ResourceError(
            f"--out {one_line(path)}: {free / 1e6:,.0f} MB are free there, and --format {format_} "
            f"takes {ROOM_BYTES[format_] / 1e6:,.0f} MB while it is written; free some room"
        )
    return path
