"""The list of all runs: read fast, and again only where something was written.

A thousand runs are listed at once, and a live run of days costs nothing to follow: a look at a run
whose files have not changed costs two system calls.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, NamedTuple

from nexus_engine.disk.named_folders import read_listed
from nexus_engine.disk.new_folders import LOG_NAME
from nexus_engine.disk.regular_files import FileStamp, stamp_of
from nexus_engine.runs.log_scan import LogScan
from nexus_engine.runs.summary import (
    RUN,
    RunRecord,
    RunSummary,
    is_live,
    read_facts,
    record_of,
    summary_of,
)

__all__ = ["RunIndex"]


class _Known(NamedTuple):
    """A run as last read: the stamps of its files then, and what they held."""

    run_stamp: FileStamp | None
    log_stamp: FileStamp | None
    facts: dict[str, Any]
    log: LogScan
    summary: RunSummary


class RunIndex:
    """The runs under `root`, newest first. `refresh` reads again only what changed on disk."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[Path, _Known] = {}
        self._lock = threading.Lock()
        self.unreadable: tuple[str, ...] = ()
        """Why a run could not be read at the last `refresh`, a line each."""

    def refresh(self) -> list[RunSummary]:
        """Every readable run as it is now. May be called from any thread."""
        with self._lock:
            self._known, self.unreadable = read_listed(self._root, RUN, self._look)
            summaries = [known.summary for known in self._known.values()]
        return sorted(summaries, key=lambda run: (run.started_unix_s, run.name), reverse=True)

    def record(self, path: Path) -> RunRecord | None:
        """All that the last `refresh` read about the run in `path`, without reading anew."""
        known = self._known.get(path)
        return None if known is None else record_of(known.summary, known.facts, known.log)

    def _look(self, path: Path) -> _Known:
        run_stamp, log_stamp = stamp_of(path / RUN.description), stamp_of(path / LOG_NAME)
        old = self._known.get(path)
        if old is None or old.run_stamp != run_stamp:
            facts = read_facts(path)
        else:
            facts = old.facts
            if old.log_stamp == log_stamp and (old.summary.state != "live" or is_live(path, facts)):
                return old
        grown = old is not None and _has_grown(old, log_stamp)
        log = old.log if old is not None and grown else LogScan(path / LOG_NAME)
        log.read()
        return _Known(run_stamp, log_stamp, facts, log, summary_of(path, facts, log))


def _has_grown(old: _Known, stamp: FileStamp | None) -> bool:
    """Whether the log is the one that was read, with at most something added."""
    if old.log_stamp is None or stamp is None:
        return False
    return stamp.inode == old.log_stamp.inode and stamp.size >= old.log.position
