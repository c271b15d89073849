"""The folder of a sweep, and who may work in it.

    NAME/sweep.json     the grid, versions, when it was made
    NAME/events.jsonl   what the sweep told, a line each
    NAME/lock           held by the process that works on the sweep
    NAME/runs/CELL/     an ordinary run folder for each run

Folders are 0700 and files 0600.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from nexus_engine.errors import ConfigError, RunError, one_line
from nexus_engine.files import FILE_MODE, make_folder, replace_json
from nexus_engine.listed_folders import LATEST
from nexus_engine.run_folder import NAME_RULE, RunFolder, runs_root
from nexus_engine.sweeps.events import SweepEvent, decode_sweep_event, encode_sweep_event
from nexus_engine.sweeps.grid import Cell, Grid
from nexus_engine.user_paths import user_path

__all__ = ["SweepFolder", "SweepRecord", "find_sweep", "sweeps_root"]

PATIENCE_SECONDS = 0.5
"""Whoever asks whether a sweep is live holds a shared lock for an instant: try for this long."""


class SweepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`sweep.json`."""

    schema: int = 1
    kind: str = "nexus-sweep"
    name: str
    created_unix_s: float
    grid: Grid


class CellFolder(RunFolder):
    """A run's folder inside a sweep: it does not become the latest run of the machine."""

    def point_latest(self) -> None:
        """Nothing: `latest` stays what the user trained last."""


def sweeps_root() -> Path:
    """Where sweeps go unless --out says otherwise: beside the runs."""
    return runs_root().with_name("sweeps")


class SweepFolder:
    """A sweep on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def events_file(self) -> Path:
        """The event log."""
        return self.path / "events.jsonl"

    def run_path(self, cell: Cell) -> Path:
        """The run folder of `cell`; not there before the run has begun."""
        return self.path / "runs" / cell.name

    @classmethod
    def create(cls, out: Path | None, label: str, grid: Grid) -> SweepFolder:
        """A new sweep's folder: `out`, or a fresh name made of the time and `label`.

        Raises:
            ConfigError: the folder exists and is not empty, or cannot be made.
        """
        if out is None:
            stamp = time.strftime("%Y%m%d-%H%M%S")
            clean = re.sub(r"[^A-Za-z0-9._-]+", "-", label).strip("-.")[:60] or "sweep"
            path = sweeps_root() / f"{stamp}-{clean}"
            for number in range(2, 1000):
                if not path.exists():
                    break
                path = path.with_name(f"{stamp}-{clean}-{number}")
        else:
            path = user_path(out).absolute()
        try:
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                raise ConfigError(
                    f"--out {one_line(path)}: exists and is not an empty folder; name a new one, "
                    "or go on with a sweep by --resume"
                )
            make_folder(path / "runs")
            make_folder(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a usable path"
            raise ConfigError(f"{one_line(path)}: {reason}; choose --out DIR") from None
        folder = cls(path)
        record = SweepRecord(name=path.name, created_unix_s=time.time(), grid=grid)
        replace_json(path / "sweep.json", record)
        folder._point_latest()
        return folder

    def _point_latest(self) -> None:
        with contextlib.suppress(OSError, ConfigError):  # `latest` is a convenience
            root = sweeps_root()
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            link = root / f"{LATEST}.tmp-{os.getpid()}"
            link.unlink(missing_ok=True)
            link.symlink_to(self.path, target_is_directory=True)
            os.replace(link, root / LATEST)

    def record(self) -> SweepRecord:
        """`sweep.json`.

        Raises:
            RunError: it is missing or damaged.
        """
        path = self.path / "sweep.json"
        try:
            found = msgspec.convert(json.loads(path.read_text(encoding="utf-8")), SweepRecord)
        except (OSError, ValueError, RecursionError, msgspec.ValidationError) as error:
            raise RunError(
                f"{one_line(path)}: no readable sweep ({type(error).__name__})"
            ) from None
        if found.schema != 1:
            raise RunError(f"{one_line(path)}: not a sweep of this version")
        return found

    def append(self, event: SweepEvent) -> None:
        """Add an event to the log."""
        handle = os.open(self.events_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, FILE_MODE)
        try:
            os.write(handle, (encode_sweep_event(event) + "\n").encode("utf-8", "replace"))
        finally:
            os.close(handle)

    def events(self) -> list[SweepEvent]:
        """The events of the log; lines that cannot be read are left out."""
        found: list[SweepEvent] = []
        with contextlib.suppress(OSError), self.events_file.open("rb") as file:
            for line in file:
                with contextlib.suppress(RunError):
                    found.append(decode_sweep_event(line))
        return found

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Held while the sweep is worked on; the kernel frees it when its holder dies.

        Raises:
            RunError: another process works on this sweep.
        """
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, FILE_MODE)
        try:
            until = time.monotonic() + PATIENCE_SECONDS
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise RunError(
                            f"{one_line(self.path.name, 100)}: another process works on it"
                        ) from None
                    time.sleep(PATIENCE_SECONDS / 25)
            yield
        finally:
            os.close(handle)

    def is_live(self) -> bool:
        """Whether a process works on the sweep now."""
        try:
            handle = os.open(self.path / "lock", os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False


def find_sweep(asked: str) -> SweepFolder:
    """The sweep that a name, a folder or `latest` means.

    Raises:
        RunError: there is none.
    """
    if asked == LATEST:
        link = sweeps_root() / LATEST
        if link.is_dir():
            return SweepFolder(link.resolve())
        raise RunError("latest: there is no sweep yet; start one with `nexus sweep`")
    with contextlib.suppress(ConfigError):  # without a home no sweep has a name
        if NAME_RULE.fullmatch(asked) and (sweeps_root() / asked / "sweep.json").is_file():
            return SweepFolder(sweeps_root() / asked)
    path = user_path(asked)
    with contextlib.suppress(OSError, ValueError):
        if (path / "sweep.json").is_file():
            return SweepFolder(path.absolute())
    raise RunError(f"{one_line(asked, 120)}: no such sweep")
