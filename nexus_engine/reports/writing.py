"""Writing a report: both files, each put in its place in one step."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nexus_engine import __version__
from nexus_engine.errors import ConfigError, one_line
from nexus_engine.files import FILE_MODE, replace_file
from nexus_engine.reports.document import document
from nexus_engine.reports.gather import gather
from nexus_engine.reports.markdown import markdown
from nexus_engine.reports.page import page
from nexus_engine.reports.tensorboard import write_tensorboard

__all__ = ["Written", "write_report"]


class Written(NamedTuple):
    """The files of a report, and how many runs and sweeps are in it."""

    html: Path
    markdown: Path
    runs: int
    sweeps: int
    tensorboard: Path | None = None


def _put(path: Path, text: str) -> None:
    def write(temporary: Path) -> None:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    replace_file(path, write)


def write_report(asked: Sequence[str], out: Path, tensorboard: Path | None = None) -> Written:
    """Report on the runs and sweeps named by `asked`, as `report.html` and `report.md` in `out`.

    With `tensorboard` their metrics are also written there, as TensorBoard reads them.

    Raises:
        RunError: one of them is neither a run nor a sweep.
        ConfigError: `out` or `tensorboard` cannot be written to, or tensorboardX is missing.
    """
    gathered = gather(asked)
    if tensorboard is not None:
        write_tensorboard(gathered, tensorboard)
    found = document(gathered)
    footer = f"Made by NEXUS {__version__}, {time.strftime('%Y-%m-%d %H:%M:%S %z')}."
    html, text = out / "report.html", out / "report.md"
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        _put(html, page(found, footer))
        _put(text, markdown(found, footer))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise ConfigError(f"--out {one_line(out, 200)}: {reason}") from None
    return Written(html, text, len(gathered.runs), len(gathered.sweeps), tensorboard)
