"""What is known of a run at a glance, from its `run.json`, its event log and its result."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, NamedTuple

from nexus_engine.disk.json_text import revive
from nexus_engine.disk.lock import is_held
from nexus_engine.disk.named_folders import FolderKind, read_description
from nexus_engine.disk.new_folders import LOG_NAME
from nexus_engine.disk.regular_files import read_json
from nexus_engine.errors import one_line
from nexus_engine.events import LAST_MOMENT, MAX_EPOCHS, is_correlation
from nexus_engine.runs.log_scan import LogScan, last_event
from nexus_engine.system.process_identity import is_alive

__all__ = [
    "RUN",
    "RunRecord",
    "RunSummary",
    "is_live",
    "read_facts",
    "read_record",
    "record_of",
    "state_of",
    "summarise",
    "summary_of",
]

RUN = FolderKind("run", "run.json", "nexus train", "; `nexus runs` lists them")
ENDS = {"run_finished": "finished", "run_failed": "failed", "run_stopped": "stopped"}


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
    return found if found is not None and found <= MAX_EPOCHS else None


def read_facts(path: Path) -> dict[str, Any]:
    """`run.json` of the run in `path`, its numbers as `revive` leaves them.

    Raises:
        RunError: it is missing or damaged.
    """
    facts: dict[str, Any] = revive(read_description(path, RUN))
    return facts


def is_live(path: Path, facts: dict[str, Any]) -> bool:
    """Whether a process holds the run; by its id where the file system knows no locks."""
    held = is_held(path)
    return is_alive(facts) if held is None else held


def _state(path: Path, facts: dict[str, Any], last: dict[str, Any]) -> str:
    end = ENDS.get(str(last.get("event")))
    if end is not None:
        return end
    return "live" if is_live(path, facts) else "interrupted"


def state_of(path: Path) -> str:
    """The state of the run in `path` alone; costs two small reads.

    Raises:
        RunError: there is no readable run there.
    """
    return _state(path, read_facts(path), last_event(path / LOG_NAME))


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
    facts, log = read_facts(path), LogScan(path / LOG_NAME)
    log.read()
    return record_of(summary_of(path, facts, log), facts, log)


def record_of(summary: RunSummary, facts: dict[str, Any], log: LogScan) -> RunRecord:
    """The record of a run whose `run.json` and log were read."""
    points = tuple((point.epoch, point.spearman) for point in log.main.points)
    return RunRecord(summary, facts, revive(log.last), points)


def summary_of(path: Path, facts: dict[str, Any], log: LogScan) -> RunSummary:
    """The line of the run in `path` whose `run.json` and log were read."""
    settings = facts.get("settings")
    settings = settings if isinstance(settings, dict) else {}
    main, last = log.main, log.last
    state = _state(path, facts, last)
    result = last if state == "finished" else {}
    if not result and last.get("event") not in ENDS:
        with contextlib.suppress(OSError, ValueError):
            value = read_json(path / "result.json")
            result = value if isinstance(value, dict) else {}
    total, done = _whole(last.get("steps_total")), _whole(last.get("step"))
    stepping = state == "live" and last.get("event") == "step" and total
    measured = bool(main.points)
    return RunSummary(
        name=path.name,
        path=path,
        state=state,
        tune=one_line(settings.get("tune", "?"), 20),
        data=one_line(facts.get("data_name", settings.get("data", "?")), 60),
        best_dev_spearman=_correlation(result.get("best_dev_spearman", main.best_spearman)),
        base_dev_spearman=_correlation(result.get("base_dev_spearman", main.base_spearman)),
        switches_kept=_epoch(result.get("switches_kept", main.switches_kept if measured else None)),
        params_added=_whole(result.get("params_added", main.params_added)),
        started_unix_s=_moment(facts.get("started_unix_s")),
        switches_tried=_epoch(result.get("switches", main.switches_tried if measured else None)),
        best_epoch=_epoch(result.get("best_epoch", main.best_epoch if measured else None)),
        test_spearman=_correlation(result.get("test_spearman")),
        arm=one_line(last.get("arm", "main"), 60),
        fraction=min(1.0, (done or 0) / total) if stepping and total else None,
        message=one_line(last.get("message", "")) if state == "failed" else "",
        curve=tuple(point.spearman for point in main.points),
    )
