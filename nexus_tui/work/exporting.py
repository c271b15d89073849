"""An export in a process of its own: it can be ended at any moment, and then leaves nothing.

The process tells each stage, and at the end the result, as a line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from nexus_engine.disk.json_text import revive
from nexus_engine.disk.regular_files import read_json
from nexus_engine.errors import NexusError, one_line
from nexus_engine.exports.hidden_folder import clear_killed, hidden_folder, is_own
from nexus_engine.exports.options import FORMATS, MAX_LOSS, Format
from nexus_engine.exports.place import free_place
from nexus_engine.scores import Metric

if TYPE_CHECKING:
    from nexus_engine.exports.exporting import Exported

__all__ = ["ExportRequest", "Outcome", "Subject", "export_fields", "read_subject", "run_export"]

POLL_SECONDS = 0.1
MAX_FOLDERS = 1000


class ExportRequest(NamedTuple):
    """An export of the run in the folder `run` to the new folder `out`, as typed."""

    run: Path
    format: Format
    out: str
    max_loss: float = MAX_LOSS
    approximate: bool = False


class Outcome(NamedTuple):
    """The fields of a finished export (`export_fields`), or a line that says why there is none."""

    figures: Mapping[str, Any] | None
    error: str = ""


def export_fields(name: str, exported: Exported) -> dict[str, Any]:
    """A finished export of the run `name` as plain values."""
    checked = exported.checked
    return {
        "run": name,
        "format": exported.format,
        "path": str(exported.path),
        "size_bytes": exported.size_bytes,
        "files": list(exported.files),
        "read_by": checked.library,
        "max_difference": checked.difference,
        "mean_cosine": checked.cosine,
        "metric": exported.metric,
        "dev_score": checked.own_score,
        "exported_dev_score": checked.score,
        "notes": list(exported.notes),
        "checks": list(exported.checks),
    }


class Subject(NamedTuple):
    """What a run's card says to an export, and the new folder to propose for each format.

    `nonlinearity` is that of units which fit in no plain BERT, empty if there are none. `metric` is
    None without a card that can be read.
    """

    metric: Metric | None
    nonlinearity: str
    folders: Mapping[Format, str]


def read_subject(run: Path) -> Subject:
    """Read the card of the run's best weights, and find free names. Blocking."""
    metric: Metric | None = None
    nonlinearity = ""
    with contextlib.suppress(OSError, ValueError):
        card = read_json(run / "best" / "model.json")
        if isinstance(card, dict):
            metric = "spearman" if card.get("dev_ndcg_at_10") is None else "ndcg_at_10"
            if card.get("nonlinearity") != "linear" and card.get("params_added"):
                nonlinearity = one_line(card.get("nonlinearity"), 20)
    return Subject(metric, nonlinearity, {name: _free_folder(run.name, name) for name in FORMATS})


def _free_folder(run: str, format_: Format) -> str:
    """A new folder in the current one, or at home if that cannot be written."""
    parent = Path.cwd()
    if not os.access(parent, os.W_OK):
        with contextlib.suppress(RuntimeError):  # no home
            parent = Path.home()
    stem = parent / f"{run}-{format_}"
    for number in range(2, MAX_FOLDERS):
        if not os.path.lexists(stem):
            break
        stem = parent / f"{run}-{format_}-{number}"
    return str(stem)


def run_export(
    request: ExportRequest, stage: Callable[[str, float], None], cancelled: Callable[[], bool]
) -> Outcome | None:
    """Export to the end, blocking; None when cancelled.

    `stage` receives what the export does now and the share that is done, 0..1. Unless it finishes,
    nothing of it is left.
    """
    try:
        path = free_place(Path(request.out), request.format)
    except NexusError as error:
        return Outcome(None, str(error))
    except OSError as error:
        return Outcome(None, f"--out {one_line(request.out, 200)}: {error.strerror}")
    stage("starting a process for it", 0.0)
    with tempfile.TemporaryFile() as results, tempfile.TemporaryFile() as messages:
        process = _start(request, path, results, messages)
        folder = _Written(path, process.pid)
        figures: dict[str, Any] | None = None
        lines = _lines(results)
        try:
            while True:
                code = process.poll()
                folder.look()
                for line in lines():
                    if "stage" in line:
                        stage(line["stage"], line["fraction"])
                    else:
                        figures = line
                if code is not None:
                    break
                if cancelled():
                    figures = None
                    return None
                time.sleep(POLL_SECONDS)
        finally:
            _end(process)
            if figures is None and process.returncode < 0:  # ended; one that fails clears up itself
                folder.remove()
        if figures is not None:
            return Outcome(figures)
        return Outcome(None, _reason(process.returncode, messages))


def _start(
    request: ExportRequest, path: Path, results: IO[bytes], messages: IO[bytes]
) -> subprocess.Popen[bytes]:
    fold = "approximate" if request.approximate else "exact"
    return subprocess.Popen(
        [
            *(sys.executable, "-P", "-m", "nexus_tui.work.export_child", str(os.getpid())),
            *(str(request.run), request.format, str(path), repr(request.max_loss), fold),
        ],
        stdin=subprocess.DEVNULL,
        stdout=results,
        stderr=messages,
        start_new_session=True,  # one group with the process that checks the export
        env={**os.environ, "NO_COLOR": "1"},
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process, and the one that it has started to check the export."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class _Written:
    """The folder that an export writes; it is known by its identity, since it is renamed."""

    def __init__(self, path: Path, pid: int) -> None:
        self._path, self._pid = path, pid
        self._identity: os.stat_result | None = None

    def look(self) -> None:
        """Note which folder it is, if the process has made it."""
        with contextlib.suppress(OSError):
            if is_own(self._path, self._pid):
                self._identity = os.lstat(hidden_folder(self._path))

    def remove(self) -> None:
        """Remove it, also where the export renamed it just before it was ended."""
        was_renamed = not os.path.lexists(hidden_folder(self._path))
        with contextlib.suppress(OSError, NexusError):  # another process may write there by now
            clear_killed(self._path)
        if was_renamed and self._identity is not None:
            with contextlib.suppress(OSError):
                if os.path.samestat(self._identity, os.lstat(self._path)):
                    shutil.rmtree(self._path, ignore_errors=True)


def _lines(results: IO[bytes]) -> Callable[[], Iterator[dict[str, Any]]]:
    """A function that returns the whole lines since its last call."""
    place, rest = 0, b""

    def new() -> Iterator[dict[str, Any]]:
        nonlocal place, rest
        # The child writes at the same file's own position, which pread does not move.
        while content := os.pread(results.fileno(), 65536, place):
            place += len(content)
            *whole, rest = (rest + content).split(b"\n")
            yield from (revive(json.loads(line)) for line in whole)

    return new


def _reason(code: int, messages: IO[bytes]) -> str:
    """The message of a process that ended with `code`, as the command would give it."""
    if code < 0:
        name = signal.Signals(-code).name
        return f"the export was ended by {name}; if nobody did, memory ran out"
    messages.seek(0)
    lines = messages.read()[-4000:].decode("utf-8", "replace").strip().splitlines()
    if not lines:
        return "the export ended without a message"
    return one_line(lines[-1].removeprefix("nexus: ").removeprefix("error: "), 600)
