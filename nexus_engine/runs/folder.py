"""The folder of a run: where it is, what is in it, and how it is written and read.

    NAME/run.json        resolved settings, versions, data fingerprint, process
    NAME/events.jsonl    every event, a line each; the first line holds the schema version
    NAME/checkpoints/    the newest whole checkpoints
    NAME/best/           the best weights so far: model.json names the file that holds them
    NAME/result.json     the result, once there is one
    NAME/audit.jsonl     a line for each use of the data: what, when, fingerprint
    NAME/lock            held by the process that runs it, and names it

Folders are 0700 and files 0600. No sentence of the user's data is in any of them.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import Any

import msgspec

from nexus_engine.disk.files import replace_json
from nexus_engine.disk.json_text import plain
from nexus_engine.disk.listed_folders import LATEST
from nexus_engine.disk.lock import LOCK_FILE, RunLock
from nexus_engine.disk.new_folders import LOG_NAME, claimed_folder, fresh_folder, usable_path
from nexus_engine.errors import ConfigError, RunError, one_line
from nexus_engine.events import TERMINAL_EVENTS, Event
from nexus_engine.runs.event_log import append_event, read_events
from nexus_engine.runs.index import RunIndex, RunSummary, read_facts, state_of, summarise
from nexus_engine.system.ownership import may_not_read, not_permitted, whose
from nexus_engine.system.user_paths import data_folder, user_path

__all__ = [
    "LATEST",
    "RunFolder",
    "RunSummary",
    "find_run",
    "list_runs",
    "remove_run",
    "remove_unstarted",
    "reserve_folder",
    "runs_root",
    "summarise",
]

NAME_RULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def runs_root() -> Path:
    """`$XDG_DATA_HOME/nexus/runs`, or this platform's own place.

    Raises:
        ConfigError: this process has no home folder.
    """
    return data_folder() / "runs"


class RunFolder:
    """A run's folder, open for writing by the process that runs it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = RunLock(path)
        """Hold it to write here; RunError where another process does."""

    @property
    def name(self) -> str:
        """The folder's own name, printable."""
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
        """A new run folder: `out`, or a fresh name made of the time and `label`.

        Where two processes make the same one at the same time, one of them is refused.

        Raises:
            ConfigError: the folder exists and is not empty, or cannot be made.
            ResourceError: the disk is full.
        """
        path = reserve_folder(label) if out is None else usable_path(out)
        with claimed_folder(path, instead="continue a run with --resume"):
            return cls(path)

    def point_latest(self) -> None:
        """Make `latest` mean this run."""
        # `latest` is a convenience; a run goes on without it, and without a home
        with contextlib.suppress(OSError, ConfigError):
            root = runs_root()
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            link = root / f"{LATEST}.tmp-{os.getpid()}"
            link.unlink(missing_ok=True)
            link.symlink_to(self.path, target_is_directory=True)
            os.replace(link, root / LATEST)

    def check_own_folders(self) -> None:
        """Refuse to work where `best` or `checkpoints` is a link: files elsewhere would be changed.

        Raises:
            RunError: one of them is.
        """
        for folder in (self.best, self.checkpoints):
            if folder.is_symlink():
                raise RunError(
                    f"{self.name}: {folder.name} is a symbolic link; put the folder itself there"
                )

    def check_writable(self, instead: str) -> None:
        """Refuse to change a run that another user made; `instead` says what can be done.

        Raises:
            RunError: this user may not write there.
        """
        effective = os.access in os.supports_effective_ids
        if not os.access(self.path, os.W_OK | os.X_OK, effective_ids=effective):
            raise RunError(
                f"{self.name}: you may not write there; the run belongs to {whose(self.path)}; "
                f"{instead}"
            )

    def append(self, event: Event) -> None:
        """Add an event to the log; the last one is pushed to the disk."""
        append_event(self.events_file, event, sync=isinstance(event, TERMINAL_EVENTS))

    def write_run(self, facts: dict[str, Any]) -> None:
        """Write `run.json`; from now on this is a run, and the latest one."""
        replace_json(self.path / "run.json", facts)
        self.point_latest()

    def read_run(self) -> dict[str, Any]:
        """`run.json`.

        Raises:
            RunError: it is missing or damaged.
        """
        return read_facts(self.path)

    def write_result(self, event: Event) -> None:
        """Write `result.json`."""
        replace_json(self.path / "result.json", plain(msgspec.to_builtins(event)))

    def events(self) -> list[Event]:
        """The events of the log; a last line that was cut short is left out."""
        return list(read_events(self.events_file))


def reserve_folder(label: str) -> Path:
    """A new empty folder for a run, named by the time and `label`.

    Raises:
        ConfigError: it cannot be made.
        ResourceError: the disk is full.
    """
    return fresh_folder(runs_root(), label, "run")


def list_runs() -> list[RunSummary]:
    """Every readable run under `runs_root()`, newest first."""
    return RunIndex(runs_root()).refresh()


def find_run(asked: str) -> RunFolder:
    """The run that a name, a folder or `latest` means.

    Raises:
        RunError: there is none, or this user may not read it.
        ConfigError: it names a home that does not exist.
    """
    if asked == LATEST:
        link = runs_root() / LATEST
        if os.path.isdir(link):
            return RunFolder(link.resolve())
        if may_not_read(link / "run.json"):
            raise RunError(f"latest: {not_permitted(link.resolve())}")
        raise RunError("latest: there is no run yet; start one with `nexus train`")
    with contextlib.suppress(ConfigError):  # without a home no run has a name
        if NAME_RULE.fullmatch(asked) and os.path.isdir(runs_root() / asked):
            return RunFolder(runs_root() / asked)
    path = user_path(asked)
    with contextlib.suppress(OSError, ValueError):
        if os.path.lexists(path / "run.json"):  # what is wrong with it, if anything, is said later
            return RunFolder(path.absolute())
        if may_not_read(path / "run.json"):
            raise RunError(f"{one_line(asked, 120)}: {not_permitted(path.absolute())}")
    raise RunError(f"{one_line(asked, 120)}: no such run; `nexus runs` lists them")


def remove_unstarted(folder: RunFolder, *, keep_folder: bool = False) -> None:
    """Take away a folder made by `RunFolder.create` whose run never began; else do nothing.

    With `keep_folder` the folder itself stays, as one that was there, empty, before.
    """
    if os.path.lexists(folder.path / "run.json"):
        return
    with contextlib.suppress(OSError):
        # The log comes last: while it is there, nobody else can begin in this folder.
        (folder.path / LOCK_FILE).unlink(missing_ok=True)
        folder.events_file.unlink(missing_ok=True)
        if not keep_folder:
            folder.path.rmdir()


def remove_run(asked: str) -> Path:
    """Delete a run's folder; its path.

    Raises:
        RunError: there is none, or it is live.
    """
    folder = find_run(asked)
    if state_of(folder.path) == "live":
        raise RunError(f"{folder.name}: is live; stop it first")
    folder.check_writable("only its owner can remove it")
    if not os.path.lexists(folder.events_file):
        raise RunError(f"{folder.name}: not a run's folder: it has no events.jsonl")
    if folder.path.is_symlink():
        raise RunError(f"{folder.name}: is a symbolic link; name the folder that it leads to")
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
