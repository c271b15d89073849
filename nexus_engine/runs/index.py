"""The list of all runs; a refresh reads only the runs whose files have changed.

Checking a run whose files have not changed costs two system calls, so a refresh of a thousand runs
is fast.
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


class _CachedRun(NamedTuple):
    """A run as last read: the stamps of its files at that time, and their content."""

    run_stamp: FileStamp | None
    log_stamp: FileStamp | None
    facts: dict[str, Any]
    log: LogScan
    summary: RunSummary


class RunIndex:
    """The runs under `root`, newest first."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._cache: dict[Path, _CachedRun] = {}
        self._lock = threading.Lock()
        self.unreadable: tuple[str, ...] = ()
        """A line for each run that could not be read at the last `refresh`."""

    def refresh(self) -> list[RunSummary]:
        """Every readable run as it is now. May be called from any thread."""
        with self._lock:
            self._cache, self.unreadable = read_listed(self._root, RUN, self._read_changed)
            summaries = [cached.summary for cached in self._cache.values()]
        return sorted(summaries, key=lambda run: (run.started_unix_s, run.name), reverse=True)

    def record(self, path: Path) -> RunRecord | None:
        """The record of the run in `path` as of the last `refresh`; None if it was not listed."""
        cached = self._cache.get(path)
        return None if cached is None else record_of(cached.summary, cached.facts, cached.log)

    def _read_changed(self, path: Path) -> _CachedRun:
        """The run in `path`, read again as far as its files have changed."""
        run_stamp, log_stamp = stamp_of(path / RUN.description), stamp_of(path / LOG_NAME)
        old = self._cache.get(path)
        if old is None or old.run_stamp != run_stamp:
            facts = read_facts(path)
        else:
            facts = old.facts
            if old.log_stamp == log_stamp and (old.summary.state != "live" or is_live(path, facts)):
                return old
        grown = old is not None and _has_grown(old, log_stamp)
        log = old.log if old is not None and grown else LogScan(path / LOG_NAME)
        log.read()
        return _CachedRun(run_stamp, log_stamp, facts, log, summary_of(path, facts, log))


def _has_grown(old: _CachedRun, stamp: FileStamp | None) -> bool:
    """Whether the log is the same file as before and has only grown, if it changed at all."""
    if old.log_stamp is None or stamp is None:
        return False
    return stamp.inode == old.log_stamp.inode and stamp.size >= old.log.position
