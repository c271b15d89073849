"""What is known of every run at a glance: read fast, and again only where something was written.

A run's line comes from its `run.json` and its event log. The log is looked through for the few
events that matter, not decoded, and a growing one only from where the last look ended, so that a
thousand runs are listed at once and a live run of days costs nothing to follow.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from nexus_engine.errors import RunError, one_line
from nexus_engine.events import revive
from nexus_engine.listed_folders import listed_folders
from nexus_engine.run_lock import is_held

__all__ = ["RunIndex", "RunRecord", "RunSummary", "read_record", "state_of", "summarise"]

TAIL = 65_536
"""Bytes from a log's end that hold its last whole event."""
BLOCK = 8_000_000
"""Bytes of a log that are looked through at once."""
ENDS = {"run_finished": "finished", "run_failed": "failed", "run_stopped": "stopped"}
WANTED = tuple(
    f'{{"event": "{kind}"'.encode()
    for kind in ("run_started", "evaluated", "dendrites_added", "switch_settled")
)
"""How the lines begin from which a run's figures are made."""


class RunSummary(NamedTuple):
    """A line of the list of runs. `state`: live, finished, failed, stopped or interrupted.

    Figures are those of the run proper so far, None where nothing is known yet. `curve` is dev
    Spearman by epoch, the base model first. `fraction` is the share of the present arm's steps that
    is made, while the run is live. `message` says why a run failed.
    """

    name: str
    path: Path
    state: str
    tune: str
    data: str
    best_dev_spearman: float | None
    base_dev_spearman: float | None
    switches_kept: int | None
    params_added: int | None
    started_unix_s: float
    switches_tried: int | None = None
    best_epoch: int | None = None
    test_spearman: float | None = None
    arm: str = "main"
    fraction: float | None = None
    message: str = ""
    curve: tuple[float, ...] = ()

    @property
    def gain(self) -> float | None:
        """Best dev Spearman over the base model's."""
        if self.best_dev_spearman is None or self.base_dev_spearman is None:
            return None
        return self.best_dev_spearman - self.base_dev_spearman


class RunRecord(NamedTuple):
    """Everything at hand about a run: its line, `run.json`, and its last event as plain values.

    For a finished run the last event is its result. `points` are (epoch, dev Spearman).
    """

    summary: RunSummary
    facts: dict[str, Any]
    last: dict[str, Any]
    points: tuple[tuple[int, float], ...]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the run trains with."""
        found = self.facts.get("settings")
        return found if isinstance(found, dict) else {}


class _Log:
    """The figures of one event log, read as far as it went at the last look."""

    def __init__(self) -> None:
        self.position = 0
        self.points: list[tuple[int, float]] = []
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.tried = 0
        self.kept = 0
        self.added: int | None = None
        self.last: dict[str, Any] = {}

    def read(self, path: Path) -> None:
        """Take in what is new. A file that cannot be read brings nothing."""
        with contextlib.suppress(OSError), path.open("rb") as file:
            while True:
                file.seek(self.position)
                block = file.read(BLOCK)
                end = block.rfind(b"\n") + 1
                if not end:
                    return
                self.position += end
                for line in _wanted_lines(block[:end]):
                    self._take(line)
                self.last = _last_object(block[:end]) or self.last
                if len(block) < BLOCK:
                    return

    def _take(self, line: bytes) -> None:
        event = _object(line)
        if event.get("arm", "main") != "main":
            return
        match event.get("event"):
            case "run_started":
                if not event.get("resumed"):
                    self.points, self.tried, self.kept, self.added = [], 0, 0, None
            case "evaluated" if event.get("split") == "dev":
                epoch, found = event.get("epoch"), _number(event.get("spearman"))
                if isinstance(epoch, int) and found is not None:
                    # A resumed run makes an epoch again that a crash cut off.
                    self.points = [p for p in self.points if p[0] < epoch]
                    self.points.append((epoch, found))
                self.best = _number(event.get("best_spearman"))
                self.best_epoch = _whole(event.get("best_epoch"))
            case "dendrites_added":
                self.tried = max(self.tried, _whole(event.get("switch")) or 0)
                self.added = _whole(event.get("params_added_total"))
            case "switch_settled" if event.get("kept"):
                self.kept += 1
            case "switch_settled":
                self.best = _number(event.get("spearman_before"))
                if self.added is not None:
                    self.added -= _whole(event.get("params_added")) or 0

    @property
    def base(self) -> float | None:
        """Dev Spearman of the base model."""
        return next((value for epoch, value in self.points if epoch == 0), None)


def _wanted_lines(block: bytes) -> Iterator[bytes]:
    """The lines of `block`, which holds whole lines, that begin as WANTED says, in order."""
    places: list[int] = []
    for lead in WANTED:
        at = block.find(lead)
        while at >= 0:
            if at == 0 or block[at - 1] == 10:
                places.append(at)
            at = block.find(lead, at + len(lead))
    for at in sorted(places):
        yield block[at : block.find(b"\n", at)]


def _object(line: bytes) -> dict[str, Any]:
    """A line as an object; an empty one where it is none."""
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = msgspec.json.decode(line)
        if isinstance(found, dict):
            return found
    return {}


def _last_object(block: bytes) -> dict[str, Any]:
    """The last line of `block` that is an event."""
    for line in reversed(block[-TAIL:].splitlines()):
        found = _object(line)
        if "event" in found:
            return found
    return {}


def _number(value: Any) -> float | None:
    found = revive(value)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _read_facts(path: Path) -> dict[str, Any]:
    """`run.json` of the run in `path`.

    Raises:
        RunError: it is missing or damaged.
    """
    file = path / "run.json"
    try:
        found = msgspec.json.decode(file.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RunError(f"{one_line(file)}: not a readable run ({type(error).__name__})") from None
    if not isinstance(found, dict):
        raise RunError(f"{one_line(file)}: not a readable run (no object in it)")
    return found


def _alive(facts: dict[str, Any]) -> bool:
    """Whether the process that wrote `run.json` still runs (same id, not started later)."""
    import psutil

    pid, started = facts.get("pid"), facts.get("started_unix_s")
    if not isinstance(pid, int) or not isinstance(started, int | float):
        return False
    try:
        process = psutil.Process(pid)
        # A process that ended and that nobody has waited for yet has an id all the same.
        return process.create_time() <= started + 1 and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError, OverflowError):
        return False


def _live(path: Path, facts: dict[str, Any]) -> bool:
    """Whether a process holds the run; by its id where the file system knows no locks."""
    held = is_held(path)
    return _alive(facts) if held is None else held


def _state(path: Path, facts: dict[str, Any], last: dict[str, Any]) -> str:
    ended = ENDS.get(str(last.get("event")))
    if ended is not None:
        return ended
    return "live" if _live(path, facts) else "interrupted"


def state_of(path: Path) -> str:
    """The state of the run in `path` alone; costs two small reads.

    Raises:
        RunError: there is no readable run there.
    """
    facts = _read_facts(path)
    tail = b""
    with contextlib.suppress(OSError), (path / "events.jsonl").open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
        tail = file.read()
    return _state(path, facts, _last_object(tail))


def summarise(path: Path) -> RunSummary:
    """All that the list of runs says about the run in `path`.

    Raises:
        RunError: there is no readable run there.
    """
    return read_record(path).summary


def read_record(path: Path) -> RunRecord:
    """All that is at hand about the run in `path`.

    Raises:
        RunError: there is no readable run there.
    """
    facts, log = _read_facts(path), _Log()
    log.read(path / "events.jsonl")
    return _record(_summary(path, facts, log), facts, log)


def _record(summary: RunSummary, facts: dict[str, Any], log: _Log) -> RunRecord:
    last = {name: revive(value) for name, value in log.last.items()}
    return RunRecord(summary, revive(facts), last, tuple(log.points))


def _summary(path: Path, facts: dict[str, Any], log: _Log) -> RunSummary:
    settings = facts.get("settings")
    settings = settings if isinstance(settings, dict) else {}
    state = _state(path, facts, log.last)
    result = log.last if state == "finished" else {}
    if not result and log.last.get("event") not in ENDS:
        with contextlib.suppress(OSError):
            result = _object((path / "result.json").read_bytes())
    total, done = _whole(log.last.get("steps_total")), _whole(log.last.get("step"))
    stepping = state == "live" and log.last.get("event") == "step" and total
    return RunSummary(
        name=path.name,
        path=path,
        state=state,
        tune=one_line(settings.get("tune", "?"), 20),
        data=one_line(facts.get("data_name", settings.get("data", "?")), 60),
        best_dev_spearman=_number(result.get("best_dev_spearman", log.best)),
        base_dev_spearman=_number(result.get("base_dev_spearman", log.base)),
        switches_kept=_whole(result.get("switches_kept", log.kept if log.points else None)),
        params_added=_whole(result.get("params_added", log.added)),
        started_unix_s=_number(facts.get("started_unix_s")) or 0.0,
        switches_tried=_whole(result.get("switches", log.tried if log.points else None)),
        best_epoch=_whole(result.get("best_epoch", log.best_epoch)),
        test_spearman=_number(result.get("test_spearman")),
        arm=one_line(log.last.get("arm", "main"), 60),
        fraction=min(1.0, (done or 0) / total) if stepping and total else None,
        message=one_line(log.last.get("message", "")) if state == "failed" else "",
        curve=tuple(value for _, value in log.points),
    )


class _Known(NamedTuple):
    """A run as last read: the stamps of its files then, and what was found."""

    run_stamp: tuple[int, int] | None
    log_stamp: tuple[int, int] | None
    facts: dict[str, Any]
    log: _Log
    summary: RunSummary


class RunIndex:
    """The runs under `root`, newest first. `refresh` reads again only what changed on disk."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[Path, _Known] = {}
        self._lock = threading.Lock()

    def refresh(self) -> list[RunSummary]:
        """Every readable run as it is now. May be called from any thread."""
        with self._lock:
            known: dict[Path, _Known] = {}
            for path in listed_folders(self._root):
                with contextlib.suppress(RunError):
                    known[path] = self._look(path)
            self._known = known
            found = [one.summary for one in known.values()]
        return sorted(found, key=lambda run: (run.started_unix_s, run.name), reverse=True)

    def record(self, path: Path) -> RunRecord | None:
        """All that the last `refresh` found about the run in `path`, without reading anew."""
        known = self._known.get(path)
        return None if known is None else _record(known.summary, known.facts, known.log)

    def _look(self, path: Path) -> _Known:
        run_stamp, log_stamp = _stamp(path / "run.json"), _stamp(path / "events.jsonl")
        old = self._known.get(path)
        if old is not None and old.run_stamp == run_stamp and old.log_stamp == log_stamp:
            if old.summary.state != "live" or _live(path, old.facts):
                return old
            facts, log = old.facts, old.log
        else:
            same = old is not None and old.run_stamp == run_stamp
            facts = old.facts if old is not None and same else _read_facts(path)
            grown = old is not None and log_stamp is not None and log_stamp[1] >= old.log.position
            log = old.log if old is not None and grown else _Log()
            log.read(path / "events.jsonl")
        return _Known(run_stamp, log_stamp, facts, log, _summary(path, facts, log))


def _stamp(path: Path) -> tuple[int, int] | None:
    """Time of the last change and size of a file; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size)
