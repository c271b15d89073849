"""A summary of a run, from its `run.json`, its event log and its result."""

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
from nexus_engine.event_ranges import MAX_EPOCHS, MAX_UNIX_SECONDS, is_correlation
from nexus_engine.runs.log_scan import LogScan, last_event
from nexus_engine.scores import Metric
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
    """A line of the list of runs. `state` is live, finished, failed, stopped or interrupted.

    Figures are those of the main arm so far, None if unknown. `curve` is the dev score by epoch,
    starting with the base model; `metric` says which score that is. `fraction` is the share of
    the current arm's steps that is done, while the run is live. `message` says why a run failed.
    """

    name: str
    path: Path
    state: str
    tune: str
    data: str
    best_dev: float | None
    base_dev: float | None
    switches_kept: int | None
    params_added: int | None
    started_unix_s: float
    switches_tried: int | None = None
    best_epoch: int | None = None
    test_score: float | None = None
    arm: str = "main"
    fraction: float | None = None
    message: str = ""
    curve: tuple[float, ...] = ()
    metric: Metric = "spearman"

    @property
    def gain(self) -> float | None:
        """Best dev score minus that of the base model."""
        if self.best_dev is None or self.base_dev is None:
            return None
        return self.best_dev - self.base_dev


class RunRecord(NamedTuple):
    """A run's summary, its `run.json` as `facts`, and its last event as plain values.

    The last event of a finished run is its result. `points` are (epoch, dev score).
    """

    summary: RunSummary
    facts: dict[str, Any]
    last: dict[str, Any]
    points: tuple[tuple[int, float], ...]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the run; empty if `run.json` holds none."""
        return _settings(self.facts)


# Values from files that somebody else may have written: None or 0 if they are not as expected.


def _settings(facts: dict[str, Any]) -> dict[str, Any]:
    settings = facts.get("settings")
    return settings if isinstance(settings, dict) else {}


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        value = revive(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _correlation(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and is_correlation(number) else None


def _timestamp(value: Any) -> float:
    """Unix seconds; 0 if `value` is not in range."""
    seconds = _number(value)
    return seconds if seconds is not None and 0 <= seconds <= MAX_UNIX_SECONDS else 0.0


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _epoch(value: Any) -> int | None:
    """A number of epochs or switches, of which there are at most `MAX_EPOCHS`."""
    number = _count(value)
    return number if number is not None and number <= MAX_EPOCHS else None


def read_facts(path: Path) -> dict[str, Any]:
    """The content of `run.json` of the run in `path`, with numbers restored by `revive`.

    Raises:
        RunError: the file is missing or damaged.
    """
    facts: dict[str, Any] = revive(read_description(path, RUN))
    return facts


def is_live(path: Path, facts: dict[str, Any]) -> bool:
    """Whether a process holds the run's lock; without a lock, whether its process is alive."""
    is_locked = is_held(path)
    return is_alive(facts) if is_locked is None else is_locked


def _state(path: Path, facts: dict[str, Any], last: dict[str, Any]) -> str:
    end_state = ENDS.get(str(last.get("event")))
    if end_state is not None:
        return end_state
    return "live" if is_live(path, facts) else "interrupted"


def state_of(path: Path) -> str:
    """The state of the run in `path`, from two small reads.

    Raises:
        RunError: there is no readable run there.
    """
    return _state(path, read_facts(path), last_event(path / LOG_NAME))


def summarise(path: Path) -> RunSummary:
    """The summary of the run in `path`.

    Raises:
        RunError: there is no readable run there.
    """
    return read_record(path).summary


def read_record(path: Path) -> RunRecord:
    """The record of the run in `path`.

    Raises:
        RunError: there is no readable run there.
    """
    facts, log = read_facts(path), LogScan(path / LOG_NAME)
    log.read()
    return record_of(summary_of(path, facts, log), facts, log)


def record_of(summary: RunSummary, facts: dict[str, Any], log: LogScan) -> RunRecord:
    """The record of a run from its `run.json` and log."""
    points = tuple((point.epoch, point.score) for point in log.main.points)
    return RunRecord(summary, facts, revive(log.last), points)


def summary_of(path: Path, facts: dict[str, Any], log: LogScan) -> RunSummary:
    """The summary of the run in `path` from its `run.json` and log."""
    settings = _settings(facts)
    main, last = log.main, log.last
    state = _state(path, facts, last)
    result = last if state == "finished" else {}
    if not result and last.get("event") not in ENDS:
        with contextlib.suppress(OSError, ValueError):
            value = read_json(path / "result.json")
            result = value if isinstance(value, dict) else {}
    steps_total, steps_done = _count(last.get("steps_total")), _count(last.get("step"))
    is_stepping = state == "live" and last.get("event") == "step" and steps_total
    is_measured = bool(main.points)
    metric: Metric = "ndcg_at_10" if settings.get("task") == "retrieval" else "spearman"
    return RunSummary(
        name=path.name,
        path=path,
        state=state,
        tune=one_line(settings.get("tune", "?"), 20),
        data=one_line(facts.get("data_name", settings.get("data", "?")), 60),
        best_dev=_correlation(result.get(f"best_dev_{metric}", main.best_score)),
        base_dev=_correlation(result.get(f"base_dev_{metric}", main.base_score)),
        switches_kept=_epoch(
            result.get("switches_kept", main.switches_kept if is_measured else None)
        ),
        params_added=_count(result.get("params_added", main.params_added)),
        started_unix_s=_timestamp(facts.get("started_unix_s")),
        switches_tried=_epoch(result.get("switches", main.switches_tried if is_measured else None)),
        best_epoch=_epoch(result.get("best_epoch", main.best_epoch if is_measured else None)),
        test_score=_correlation(result.get(f"test_{metric}")),
        arm=one_line(last.get("arm", "main"), 60),
        fraction=min(1.0, (steps_done or 0) / steps_total) if is_stepping and steps_total else None,
        message=one_line(last.get("message", "")) if state == "failed" else "",
        curve=tuple(point.score for point in main.points),
        metric=metric,
    )
