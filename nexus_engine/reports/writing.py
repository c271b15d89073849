"""Writes the files of a report, each replaced in one step."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nexus_engine import __version__
from nexus_engine.disk.files import sync, write_all
from nexus_engine.errors import ConfigError, ResourceError, one_line
from nexus_engine.reports.document import document
from nexus_engine.reports.gather import gather
from nexus_engine.reports.markdown import markdown
from nexus_engine.reports.page import page
from nexus_engine.reports.tensorboard import write_tensorboard
from nexus_engine.system.shortages import OUT_OF_ROOM

__all__ = ["write_report"]


class Written(NamedTuple):
    """The files of a report, and the numbers of runs and sweeps in it."""

    html: Path
    markdown: Path
    runs: int
    sweeps: int


LEFT_BEHIND_SECONDS = 3600.0
"""Age from which a temporary file counts as left behind by a killed process."""


def _put(path: Path, text: str) -> None:
    """Replace the file at `path` by `text` in one step; only its owner can read it.

    The folder may be shared, so the temporary file gets a name that nobody can guess or prepare.
    """
    prefix = f"{path.name}.tmp-"
    for leftover in path.parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.lstat().st_mtime > LEFT_BEHIND_SECONDS:
                leftover.unlink()
    handle, temporary = tempfile.mkstemp(prefix=prefix, dir=path.parent)  # 0600, O_EXCL, no link
    try:
        try:
            write_all(handle, text.encode("utf-8", "replace"))
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    sync(path.parent)


def write_report(names: Sequence[str], out: Path, tensorboard: Path | None = None) -> Written:
    """Report on the runs and sweeps in `names`, as `report.html` and `report.md` in `out`.

    With `tensorboard`, their metrics are also written to that folder as TensorBoard event files.

    Raises:
        RunError: a name is neither a run nor a sweep, or it cannot be read.
        ConfigError: `out` or `tensorboard` cannot be written to, or tensorboardX is missing.
        ResourceError: the disk is full.
    """
    gathered = gather(names)
    if tensorboard is not None:
        write_tensorboard(gathered, tensorboard)
    report = document(gathered)
    footer = f"Made by NEXUS {__version__}, {time.strftime('%Y-%m-%d %H:%M:%S %z')}."
    html, text = out / "report.html", out / "report.md"
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        _put(html, page(report, footer))
        _put(text, markdown(report, footer))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        if isinstance(error, OSError) and error.errno in OUT_OF_ROOM:
            raise ResourceError(
                f"--out {one_line(out, 200)}: {reason}; make room, or choose another folder"
            ) from None
        raise ConfigError(f"--out {one_line(out, 200)}: {reason}") from None
    return Written(html, text, len(gathered.runs), len(gathered.sweeps))
