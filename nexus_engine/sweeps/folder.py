"""The folder of a sweep, and the lock that lets one process at a time work in it.

    NAME/sweep.json     the grid, and when the sweep was made
    NAME/events.jsonl   the sweep's events, one a line
    NAME/lock           held by the process that runs the sweep, and names it
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
SWEEP_IS_HELD = "is being worked on by {holder}; stop that process first: its runs are saved"
MAX_TIME_UNIX_S = 253_402_300_799.0
"""The last second of the year 9999; a sweep made later than that is shown without a time."""
MAX_READ = 64_000_000
"""Bytes of a log that are read; a run of 100 epochs adds 25,000."""


class SweepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`sweep.json`."""

    schema: int = 1
    kind: str = "nexus-sweep"
    name: str
    created_unix_s: float
    grid: Grid


class CellFolder(RunFolder):
    """A run's folder inside a sweep; it never becomes the user's `latest` run."""

    def make(self) -> None:
        """Make the folder if it is missing."""
        make_folder(self.path)

    def begin_log(self) -> None:
        """Begin a new log, in place of one left by a start that ended before it wrote run.json.

        Call it while the lock is held.
        """
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.events_file)
        begin_log(self.events_file)

    def point_latest(self) -> None:
        """Do nothing: `latest` stays the run that the user trained last."""


def sweeps_root() -> Path:
    """Where sweeps go without --out: beside the runs."""
    return runs_root().with_name("sweeps")


class SweepFolder:
    """A sweep on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = RunLock(path, SWEEP_IS_HELD)
        """Hold it to work on the sweep; RunError if another process holds it."""

    @property
    def events_file(self) -> Path:
        """The event log."""
        return self.path / LOG_NAME

    def run_path(self, cell: Cell) -> Path:
        """The run folder of `cell`; it does not exist before the run has begun."""
        return self.path / "runs" / cell.name

    @classmethod
    def create(cls, out: Path | None, label: str, grid: Grid) -> SweepFolder:
        """Make a new sweep's folder: `out`, or one named after the time and `label`.

        If two processes make the same folder at the same time, one of them gets the ConfigError.

        Raises:
            ConfigError: the folder exists and is not empty, or cannot be made.
            ResourceError: the disk is full.
            OSError: it cannot be written; then nothing is left behind.
        """
        path = fresh_folder(sweeps_root(), label, "sweep") if out is None else usable_path(out)
        folder = cls(path)
        with claimed_folder(path, SWEEP_LOG, instead="resume a sweep with --resume"):
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
        """Remove what `create` made of a folder that it cannot finish."""
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
            record = msgspec.convert(read_description(self.path, SWEEP), SweepRecord)
        except msgspec.ValidationError:
            raise RunError(f"{one_line(path)}: not a readable sweep (not its fields)") from None
        if record.schema != 1:
            raise RunError(f"{one_line(path)}: not a sweep of this version")
        if record.grid.size > MAX_RUNS:
            raise RunError(f"{one_line(path, 200)}: its grid has more than {MAX_RUNS:,} runs")
        values = [
            *record.grid.common.values(),
            *(v for axis in record.grid.axes for v in axis.values),
        ]
        if not all(map(_is_setting, values)):
            raise RunError(f"{one_line(path, 200)}: no setting can have a value in its grid")
        if not 0 <= record.created_unix_s <= MAX_TIME_UNIX_S:
            return msgspec.structs.replace(record, created_unix_s=0.0)
        return record

    def append(self, event: SweepEvent) -> None:
        """Add an event to the log while the lock is held; a terminal event is synced to disk.

        Raises:
            OSError: it cannot be written; then no part of it stays in the log.
        """
        terminal = isinstance(event, TERMINAL_SWEEP_EVENTS)
        append_line(self.events_file, encode_sweep_event(event), sync=terminal)

    def events(self) -> list[SweepEvent]:
        """The events of the log; unreadable lines are left out."""
        return list(decoded(read_lines(self.events_file, MAX_READ), decode_sweep_event))

    def is_live(self) -> bool:
        """Whether a process works on the sweep now."""
        return is_held(self.path) is True


def _is_setting(value: object) -> bool:
    """Whether a setting can have this value: a plain one, or a list of plain ones."""
    items = value if isinstance(value, list) else [value]
    return all(item is None or isinstance(item, str | int | float) for item in items)


def find_sweep(text: str) -> SweepFolder:
    """The sweep that `text` means: a name, a folder or `latest`.

    Raises:
        NoSuchFolderError: there is none.
        RunError: this user may not read it.
        ConfigError: it names a home that does not exist.
    """
    return SweepFolder(find_folder(text, sweeps_root, SWEEP))
