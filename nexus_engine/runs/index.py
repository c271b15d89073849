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

from nexus_engine.disk.growing_lines import MOST_READ, LineTail
from nexus_engine.disk.json_text import parse_json, revive
from nexus_engine.disk.listed_folders import listed_folders
from nexus_engine.disk.lock import is_held
from nexus_engine.disk.regular_files import open_reader, read_json
from nexus_engine.errors import RunError, one_line
from nexus_engine.event_ranges import LAST_MOMENT, MOST_EPOCHS, is_correlation
from nexus_engine.system.ownership import not_permitted
from nexus_engine.system.process_identity import is_alive

__all__ = [
    "RunIndex",
    "RunRecord",
    "RunSummary",
    "read_facts",
    "read_record",
    "state_of",
    "summarise",
]

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
    """The figures of the event log at `path`, read as far as it went at the last look."""

    def __init__(self, path: Path) -> None:
        self._tail = LineTail(path, at_once=BLOCK)
        self.points: list[tuple[int, float]] = []
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.tried = 0
        self.kept = 0
        self.added: int | None = None
        self.last: dict[str, Any] = {}

    @property
    def position(self) -> int:
        """Bytes that were looked through."""
        return self._tail.position

    def read(self) -> None:
        """Take in what is new. A file that cannot be read brings nothing."""
        while self.position < MOST_READ and (block := self._tail.read_block()) is not None:
            for line in _wanted_lines(block):
                self._take(line)
            self.last = _last_object(block) or self.last

    def _take(self, line: bytes) -> None:
        event = _object(line)
        if event.get("arm", "main") != "main":
            return
        match event.get("event"):
            case "run_started":
                if not event.get("resumed"):
                    self.points, self.tried, self.kept, self.added = [], 0, 0, None
            case "evaluated" if event.get("split") == "dev":
                epoch, found = _epoch(event.get("epoch")), _correlation(event.get("spearman"))
                if epoch is not None and found is not None:
                    # A resumed run makes an epoch again that a crash cut off.
                    self.points = [p for p in self.points if p[0] < epoch]
                    self.points.append((epoch, found))
                self.best = _correlation(event.get("best_spearman"))
                self.best_epoch = _epoch(event.get("best_epoch"))
            case "dendrites_added":
                self.tried = max(self.tried, _epoch(event.get("switch")) or 0)
                self.added = _whole(event.get("params_added_total"))
            case "switch_settled" if event.get("kept"):
                self.kept += 1
            case "switch_settled":
                self.best = _correlation(event.get("spearman_before"))
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
    with contextlib.suppress(ValueError):
        found = parse_json(line)
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
    """A number as read from a file that somebody else may have written; integers have 64 bits."""
    found = revive(value) if isinstance(value, str) else value
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _correlation(value: Any) -> float | None:
    found = _number(value)
    return found if found is not None and is_correlation(found) else None


def _moment(value: Any) -> float:
    """Unix seconds; 0 where there is no such moment."""
    found = _number(value)
    return found if found is not None and 0 <= found <= LAST_MOMENT else 0.0


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _epoch(value: Any) -> int | None:
    found = _whole(value)
    return found if found is not None and found <= MOST_EPOCHS else None


def read_facts(path: Path) -> dict[str, Any]:
    """`run.json` of the run in `path`, its numbers as `revive` leaves them.

    Raises:
        RunError: it is missing or damaged.
    """
    file = path / "run.json"
    try:
        found = revive(read_json(file))
    except PermissionError:
        raise RunError(f"{one_line(file)}: {not_permitted(file)}") from None
    except OSError as error:
        reason = one_line(error.strerror or type(error).__name__, 80)
        raise RunError(f"{one_line(file)}: not a readable run ({reason})") from None
    except ValueError as error:
        reason = "no JSON" if type(error) is not ValueError else one_line(error, 80)
        raise RunError(f"{one_line(file)}: not a readable run ({reason})") from None
    if not isinstance(found, dict):
        raise RunError(f"{one_line(file)}: not a readable run (no object in it)")
    return found


def _live(path: Path, facts: dict[str, Any]) -> bool:
    """Whether a process holds the run; by its id where the file system knows no locks."""
    held = is_held(path)
    return is_alive(facts) if held is None else held


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
    facts = read_facts(path)
    tail = b""
    with contextlib.suppress(OSError), open_reader(path / "events.jsonl") as file:
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
    facts, log = read_facts(path), _Log(path / "events.jsonl")
    log.read()
    return _record(_summary(path, facts, log), facts, log)


def _record(summary: RunSummary, facts: dict[str, Any], log: _Log) -> RunRecord:
    return RunRecord(summary, facts, revive(log.last), tuple(log.points))


def _summary(path: Path, facts: dict[str, Any], log: _Log) -> RunSummary:
    settings = facts.get("settings")
    settings = settings if isinstance(settings, dict) else {}
    state = _state(path, facts, log.last)
    result = log.last if state == "finished" else {}
    if not result and log.last.get("event") not in ENDS:
        with contextlib.suppress(OSError, ValueError):
            found = read_json(path / "result.json")
            result = found if isinstance(found, dict) else {}
    total, done = _whole(log.last.get("steps_total")), _whole(log.last.get("step"))
    stepping = state == "live" and log.last.get("event") == "step" and total
    return RunSummary(
        name=path.name,
        path=path,
        state=state,
        tune=one_line(settings.get("tune", "?"), 20),
        data=one_line(facts.get("data_name", settings.get("data", "?")), 60),
        best_dev_spearman=_correlation(result.get("best_dev_spearman", log.best)),
        base_dev_spearman=_correlation(result.get("base_dev_spearman", log.base)),
        switches_kept=_epoch(result.get("switches_kept", log.kept if log.points else None)),
        params_added=_whole(result.get("params_added", log.added)),
        started_unix_s=_moment(facts.get("started_unix_s")),
        switches_tried=_epoch(result.get("switches", log.tried if log.points else None)),
        best_epoch=_epoch(result.get("best_epoch", log.best_epoch)),
        test_spearman=_correlation(result.get("test_spearman")),
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
        self.unreadable: tuple[str, ...] = ()

    """Why a run could not be read at the last `refresh`, a line each."""

    def refresh(self) -> list[RunSummary]:
        """Every readable run as it is now. May be called from any thread."""
        with self._lock:
            known: dict[Path, _Known] = {}
            unreadable = _closed(self._root)
            for path in sorted(listed_folders(self._root)):
                try:
                    known[path] = self._look(path)
                except RunError as error:
                    if not _missing(path / "run.json"):  # else it is no run, or none yet
                        unreadable.append(str(error))
            self._known, self.unreadable = known, tuple(unreadable)
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
            facts = old.facts if old is not None and same else read_facts(path)
            grown = old is not None and log_stamp is not None and log_stamp[1] >= old.log.position
            log = old.log if old is not None and grown else _Log(path / "events.jsonl")
            log.read()
        return _Known(run_stamp, log_stamp, facts, log, _summary(path, facts, log))


def _closed(root: Path) -> list[str]:
    """A line where this user may not see what is in `root`."""
    try:
        os.scandir(root).close()
    except PermissionError:
        return [f"{one_line(root)}: {not_permitted(root)}"]
    except OSError:
        pass
    return []


def _missing(path: Path) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False


def _stamp(path: Path) -> tuple[int, int] | None:
    """Time of the last change and size of a file; None where there is none."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size)
