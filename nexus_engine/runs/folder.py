"""The folder of a run: its path, its files, and how they are written and read.

    NAME/run.json        resolved settings, versions, data fingerprint, process
    NAME/events.jsonl    every event, one per line; the first line holds the schema version
    NAME/checkpoints/    the newest complete checkpoints
    NAME/best/           the best weights so far; model.json names the file that holds them
    NAME/result.json     the result, once there is one
    NAME/audit.jsonl     a line for each use of the data: what, when, fingerprint
    NAME/lock            held by the process that runs it; names that process

Folders have mode 0700 and files 0600. None of them holds a sentence of the user's data.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

from nexus_engine.disk.files import replace_json
from nexus_engine.disk.growing_lines import append_line, read_lines
from nexus_engine.disk.lock import LOCK_FILE, RunLock
from nexus_engine.disk.named_folders import LATEST, find_folder, point_latest
from nexus_engine.disk.new_folders import LOG_NAME, claimed_folder, fresh_folder, usable_path
from nexus_engine.errors import ConfigError, RunError, one_line
from nexus_engine.event_lines import encode_event, event_fields
from nexus_engine.events import TERMINAL_EVENTS, Event
from nexus_engine.runs.index import RunIndex
from nexus_engine.runs.log_scan import decode_events
from nexus_engine.runs.summary import RUN, RunSummary, read_facts, state_of
from nexus_engine.system.ownership import owner_of
from nexus_engine.system.user_paths import data_folder

__all__ = [
    "RunFolder",
    "find_run",
    "list_runs",
    "remove_run",
    "remove_unstarted",
    "reserve_folder",
    "runs_root",
]


def runs_root() -> Path:
    """`$XDG_DATA_HOME/nexus/runs`, or the platform's default.

    Raises:
        ConfigError: this process has no home folder.
    """
    return data_folder() / "runs"


class RunFolder:
    """A run's folder, open for writing by the process that runs it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = RunLock(path)
        """Hold it to write here; RunError if another process holds it."""

    @property
    def name(self) -> str:
        """The folder's name, made printable."""
        return one_line(self.path.name, 100)

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """Folder of the best weights."""
        return self.path / "best"

    @property
    def events_file(self) -> Path:
        """The event log."""
        return self.path / LOG_NAME

    @classmethod
    def create(cls, out: Path | None, label: str) -> RunFolder:
        """A new run folder: `out`, or a new name made of the time and `label`.

        If two processes make the same folder at the same time, one of them is refused.

        Raises:
            ConfigError: the folder exists and is not empty, or it cannot be made.
            ResourceError: the disk is full.
        """
        path = reserve_folder(label) if out is None else usable_path(out)
        with claimed_folder(path, instead="continue a run with --resume"):
            return cls(path)

    def point_latest(self) -> None:
        """Point the link `latest` to this run."""
        point_latest(runs_root, self.path)

    def check_own_folders(self) -> None:
        """Refuse the run if `best` or `checkpoints` is a link: work there changes files elsewhere.

        Raises:
            RunError: one of them is a link.
        """
        for folder in (self.best, self.checkpoints):
            if folder.is_symlink():
                raise RunError(
                    f"{self.name}: {folder.name} is a symbolic link; replace the link by its folder"
                )

    def check_writable(self, instead: str) -> None:
        """Refuse to change another user's run; `instead` tells the user what to do.

        Raises:
            RunError: this user may not write there.
        """
        effective = os.access in os.supports_effective_ids
        if not os.access(self.path, os.W_OK | os.X_OK, effective_ids=effective):
            raise RunError(
                f"{self.name}: you may not write there; the run belongs to {owner_of(self.path)}; "
                f"{instead}"
            )

    def append(self, event: Event) -> None:
        """Append an event to the log; a terminal event is synced to the disk."""
        is_terminal = isinstance(event, TERMINAL_EVENTS)
        append_line(self.events_file, encode_event(event), sync=is_terminal)

    def write_run(self, facts: dict[str, Any]) -> None:
        """Write `run.json`, which makes this folder a run, and the latest one."""
        replace_json(self.path / RUN.description, facts)
        self.point_latest()

    def read_run(self) -> dict[str, Any]:
        """The content of `run.json`.

        Raises:
            RunError: the file is missing or damaged.
        """
        return read_facts(self.path)

    def write_result(self, event: Event) -> None:
        """Write `result.json`."""
        replace_json(self.path / "result.json", event_fields(event))

    def events(self) -> list[Event]:
        """The events of the log, with a warning at the end if some cannot be read."""
        return list(decode_events(read_lines(self.events_file)))


def reserve_folder(label: str) -> Path:
    """A new empty folder for a run, named by the time and `label`.

    Raises:
        ConfigError: the folder cannot be made.
        ResourceError: the disk is full.
    """
    return fresh_folder(runs_root(), label, "run")


def list_runs() -> list[RunSummary]:
    """Every readable run under `runs_root()`, newest first."""
    return RunIndex(runs_root()).refresh()


def find_run(name: str) -> RunFolder:
    """The run that `name` means: a name, a folder or `latest`.

    Raises:
        NoSuchFolderError: there is no such run.
        RunError: this user may not read it.
        ConfigError: the path names the home of an unknown user.
    """
    return RunFolder(find_folder(name, runs_root, RUN))


def remove_unstarted(folder: RunFolder, *, keep_folder: bool = False) -> None:
    """Remove a folder made by `RunFolder.create` whose run never began; leave any other alone.

    With `keep_folder` the empty folder stays: the user had made it.
    """
    if os.path.lexists(folder.path / RUN.description):
        return
    with contextlib.suppress(OSError):
        # The log goes last: while it exists, no other run can begin in this folder.
        (folder.path / LOCK_FILE).unlink(missing_ok=True)
        folder.events_file.unlink(missing_ok=True)
        if not keep_folder:
            folder.path.rmdir()


def remove_run(name: str) -> Path:
    """Delete the folder of the run `name`, as in `find_run`; return its path.

    Raises:
        RunError: there is no such run, it is live, or this user may not remove it.
    """
    folder = find_run(name)
    if state_of(folder.path) == "live":
        raise RunError(f"{folder.name}: is live; stop it first")
    folder.check_writable("only its owner can remove it")
    if not os.path.lexists(folder.events_file):
        raise RunError(f"{folder.name}: not a run's folder: it has no events.jsonl")
    if folder.path.is_symlink():
        raise RunError(f"{folder.name}: is a symbolic link; name the folder that it points to")
    with folder.lock:
        shutil.rmtree(folder.path)
    with contextlib.suppress(ConfigError):  # without a home there is no `latest`
        link = runs_root() / LATEST
        if link.is_symlink() and not link.exists():
            link.unlink(missing_ok=True)
            remaining = list_runs()
            if remaining:
                RunFolder(remaining[0].path).point_latest()
    return folder.path
