"""The folder of a sweep, and who may work in it.

    NAME/sweep.json     the grid, versions, when it was made
    NAME/events.jsonl   what the sweep told, a line each
    NAME/lock           held by the process that works on the sweep, and names it
    NAME/runs/CELL/     an ordinary run folder for each run

Folders are 0700 and files 0600.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import msgspec

from nexus_engine.disk.files import FOLDER_MODE, make_folder, replace_json
from nexus_engine.disk.growing_lines import append_line, begin_log, decoded, read_lines
from nexus_engine.disk.lock import RunLock, is_held
from nexus_engine.disk.named_folders import (
    FolderKind,
    find_folder,
    point_latest,
    read_description,
)
from nexus_engine.disk.new_folders import (
    LOG_NAME,
    SWEEP_LOG,
    claimed_folder,
    fresh_folder,
    usable_path,
)
from nexus_engine.errors import RunError, one_line
from nexus_engine.runs.folder import RunFolder, runs_root
from nexus_engine.sweeps.events import (
    TERMINAL_SWEEP_EVENTS,
    SweepEvent,
    decode_sweep_event,
    encode_sweep_event,
)
from nexus_engine.sweeps.grid import MAX_RUNS, Cell, Grid

__all__ = ["SWEEP", "CellFolder", "SweepFolder", "find_sweep", "sweeps_root"]

SWEEP = FolderKind("sweep", "sweep.json", "nexus sweep")
SWEEP_IS_HELD = "is worked on by {holder}; stop that one first: its runs are saved"
LAST_TIME = 253_402_300_799.0
"""The last second of the year 9999; a sweep that says it was made later is shown without a time."""
MAX_READ = 64_000_000
"""Bytes of a log that are read; a run of 100 epochs adds 25,000 to it."""


class SweepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`sweep.json`."""

    schema: int = 1
    kind: str = "nexus-sweep"
    name: str
    created_unix_s: float
    grid: Grid


class CellFolder(RunFolder):
    """A run's folder inside a sweep: it does not become the latest run of the machine."""

    def make(self) -> None:
        """Make the folder where it is missing."""
        make_folder(self.path)

    def begin_log(self) -> None:
        """A new log in the place of what a start left that ended before the run was described.

        To be called while the lock is held.
        """
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.events_file)
        begin_log(self.events_file)

    def point_latest(self) -> None:
        """Nothing: `latest` stays what the user trained last."""


def sweeps_root() -> Path:
    """Where sweeps go unless --out says otherwise: beside the runs."""
    return runs_root().with_name("sweeps")


class SweepFolder:
    """A sweep on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = RunLock(path, SWEEP_IS_HELD)
        """Hold it to work on the sweep; RunError where another process does."""

    @property
    def events_file(self) -> Path:
        """The event log."""
        return self.path / LOG_NAME

    def run_path(self, cell: Cell) -> Path:
        """The run folder of `cell`; not there before the run has begun."""
        return self.path / "runs" / cell.name

    @classmethod
    def create(cls, out: Path | None, label: str, grid: Grid) -> SweepFolder:
        """A new sweep's folder: `out`, or a fresh name made of the time and `label`.

        Where two processes make the same one at the same time, one of them is refused.

        Raises:
            ConfigError: the folder exists and is not empty, or cannot be made.
            ResourceError: the disk is full.
            OSError: it cannot be written; then nothing of it is left.
        """
        path = fresh_folder(sweeps_root(), label, "sweep") if out is None else usable_path(out)
        folder = cls(path)
        with claimed_folder(path, SWEEP_LOG, instead="go on with a sweep by --resume"):
            try:
                os.mkdir(path / "runs", FOLDER_MODE)
                os.chmod(path / "runs", FOLDER_MODE)
                record = SweepRecord(name=path.name, created_unix_s=time.time(), grid=grid)
                replace_json(path / SWEEP.description, record)
            except BaseException:
                folder._remove_unstarted()
                raise
        point_latest(sweeps_root, path)
        return folder

    def _remove_unstarted(self) -> None:
        """Take away what `create` made of a folder that it cannot finish."""
        with contextlib.suppress(OSError):
            (self.path / "runs").rmdir()
        with contextlib.suppress(OSError):
            self.events_file.unlink()
            self.path.rmdir()

    def record(self) -> SweepRecord:
        """`sweep.json`.

        Raises:
            RunError: it is missing or damaged.
        """
        path = self.path / SWEEP.description
        try:
            found = msgspec.convert(read_description(self.path, SWEEP), SweepRecord)
        except msgspec.ValidationError:
            raise RunError(f"{one_line(path)}: not a readable sweep (not its fields)") from None
        if found.schema != 1:
            raise RunError(f"{one_line(path)}: not a sweep of this version")
        if found.grid.size > MAX_RUNS:
            raise RunError(f"{one_line(path, 200)}: a grid of more than {MAX_RUNS:,} runs")
        values = [
            *found.grid.common.values(),
            *(v for axis in found.grid.axes for v in axis.values),
        ]
        if not all(map(_is_setting, values)):
            raise RunError(f"{one_line(path, 200)}: a value in it is no setting")
        if not 0 <= found.created_unix_s <= LAST_TIME:
            return msgspec.structs.replace(found, created_unix_s=0.0)
        return found

    def append(self, event: SweepEvent) -> None:
        """Add an event to the log; the last one is pushed to the disk. For the lock's holder.

        Raises:
            OSError: it cannot be written; then what was written of it is taken away again.
        """
        last = isinstance(event, TERMINAL_SWEEP_EVENTS)
        append_line(self.events_file, encode_sweep_event(event), sync=last)

    def events(self) -> list[SweepEvent]:
        """The events of the log; lines that cannot be read are left out."""
        return list(decoded(read_lines(self.events_file, MAX_READ), decode_sweep_event))

    def is_live(self) -> bool:
        """Whether a process works on the sweep now."""
        return is_held(self.path) is True


def _is_setting(value: object) -> bool:
    """Whether `value` is a value that a setting can have: plain, or a list of plain ones."""
    listed = value if isinstance(value, list) else [value]
    return all(item is None or isinstance(item, str | int | float) for item in listed)


def find_sweep(asked: str) -> SweepFolder:
    """The sweep that a name, a folder or `latest` means.

    Raises:
        NoSuchFolderError: there is none.
        RunError: this user may not read it.
        ConfigError: it names a home that does not exist.
    """
    return SweepFolder(find_folder(asked, sweeps_root, SWEEP))
