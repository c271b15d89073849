"""The events of a sweep: one frozen union, for types and for JSON.

As with the events of a run, scores have a field for either metric. The one that does not apply is
None in memory and absent in JSON.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from nexus_engine.disk.json_text import parse_json, plain, revive
from nexus_engine.errors import RunError
from nexus_engine.scores import Metric, Score, either
from nexus_engine.sweeps.grid import Axis

__all__ = [
    "TERMINAL_SWEEP_EVENTS",
    "CellEnded",
    "CellEvaluated",
    "CellStarted",
    "SweepEvent",
    "SweepFailed",
    "SweepFinished",
    "SweepStarted",
    "SweepStopped",
    "decode_sweep_event",
    "encode_sweep_event",
]


def _by(metric: Metric, by_spearman: Score, by_ndcg: Score) -> Score:
    return by_spearman if metric == "spearman" else by_ndcg


class _SweepEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """`time_unix_s` is when the event happened."""

    time_unix_s: float = 0.0


class SweepStarted(_SweepEvent, frozen=True, kw_only=True, tag="sweep_started"):
    """The grid is valid and its folder exists. Earlier starts finished `runs_done` of the runs."""

    sweep_dir: str
    name: str
    data: str
    tune: str
    axes: tuple[Axis, ...]
    seeds: tuple[int, ...]
    runs: int
    runs_done: int
    jobs: int
    engine: str
    pid: int
    metric: Metric = "spearman"


class CellStarted(_SweepEvent, frozen=True, kw_only=True, tag="cell_started"):
    """A run begins, or resumes from its checkpoint (`resumed`). Attempts count from 1."""

    cell: str
    point: int
    values: tuple[Any, ...]
    seed: int
    run_dir: str
    attempt: int
    resumed: bool


class CellEvaluated(_SweepEvent, frozen=True, kw_only=True, tag="cell_evaluated"):
    """A run measured its score on dev at the end of an epoch (0: the base model)."""

    cell: str
    epoch: int
    epochs: int
    spearman: Score = None
    best_spearman: Score = None
    ndcg_at_10: Score = None
    best_ndcg_at_10: Score = None
    sets: int

    def __post_init__(self) -> None:
        _ = self.score, self.best_score

    @property
    def metric(self) -> Metric:
        """The metric that decides."""
        return "ndcg_at_10" if self.spearman is None else "spearman"

    @property
    def score(self) -> float:
        """The score by `metric`."""
        return either(self.spearman, self.ndcg_at_10)

    @property
    def best_score(self) -> float:
        """The best score on dev so far."""
        return either(self.best_spearman, self.best_ndcg_at_10)


class CellEnded(_SweepEvent, frozen=True, kw_only=True, tag="cell_ended"):
    """A run ended as `state`: finished, failed, stopped, or lost (its process died; it is retried).

    Figures are None unless it finished.
    """

    cell: str
    state: str
    message: str
    exit_code: int
    seconds: float
    metric: Metric = "spearman"
    base_dev_spearman: Score = None
    best_dev_spearman: Score = None
    test_spearman: Score = None
    base_dev_ndcg_at_10: Score = None
    best_dev_ndcg_at_10: Score = None
    test_ndcg_at_10: Score = None
    switches: int | None = None
    switches_kept: int | None = None
    params_trained: int | None = None

    @property
    def base_dev(self) -> float | None:
        """The base model's score on dev."""
        return _by(self.metric, self.base_dev_spearman, self.base_dev_ndcg_at_10)

    @property
    def best_dev(self) -> float | None:
        """The best score on dev."""
        return _by(self.metric, self.best_dev_spearman, self.best_dev_ndcg_at_10)

    @property
    def test_score(self) -> float | None:
        """The score on test."""
        return _by(self.metric, self.test_spearman, self.test_ndcg_at_10)


class SweepFinished(_SweepEvent, frozen=True, kw_only=True, tag="sweep_finished"):
    """Every run has ended. The best point has the highest mean dev score over seeds."""

    sweep_dir: str
    runs: int
    runs_finished: int
    runs_failed: int
    points: int
    points_with_two_switches_kept: int
    best_cell: str
    best_run_dir: str
    best_values: dict[str, Any]
    metric: Metric = "spearman"
    best_dev_spearman: Score = None
    best_dev_deviation: float | None
    best_test_spearman: Score = None
    base_dev_spearman: Score = None
    best_dev_ndcg_at_10: Score = None
    best_test_ndcg_at_10: Score = None
    base_dev_ndcg_at_10: Score = None
    total_seconds: float

    def __post_init__(self) -> None:
        _ = self.best_dev, self.best_test, self.base_dev

    @property
    def best_dev(self) -> float:
        """The mean score on dev of the best point."""
        return either(self.best_dev_spearman, self.best_dev_ndcg_at_10)

    @property
    def best_test(self) -> float:
        """The mean score on test of the best point."""
        return either(self.best_test_spearman, self.best_test_ndcg_at_10)

    @property
    def base_dev(self) -> float:
        """The base model's score on dev."""
        return either(self.base_dev_spearman, self.base_dev_ndcg_at_10)


class SweepStopped(_SweepEvent, frozen=True, kw_only=True, tag="sweep_stopped"):
    """The sweep was stopped; its live runs saved and ended. It can be resumed."""

    reason: str
    exit_code: int
    runs_finished: int
    runs_left: int


class SweepFailed(_SweepEvent, frozen=True, kw_only=True, tag="sweep_failed"):
    """No run finished, or a failure that every other run would meet too ended the sweep."""

    message: str
    exit_code: int


SweepEvent = (
    SweepStarted
    | CellStarted
    | CellEvaluated
    | CellEnded
    | SweepFinished
    | SweepStopped
    | SweepFailed
)

TERMINAL_SWEEP_EVENTS = (SweepFinished, SweepStopped, SweepFailed)
"""Exactly one of these ends every sweep."""


def encode_sweep_event(event: SweepEvent) -> str:
    """The event as one line of JSON, without a line end and without the other metric's scores."""
    fields = plain(event)
    metric = getattr(event, "metric", None)
    if metric is not None:
        other = "ndcg_at_10" if metric == "spearman" else "spearman"
        fields = {name: value for name, value in fields.items() if not name.endswith(other)}
    return json.dumps(fields, ensure_ascii=False, allow_nan=False)


def decode_sweep_event(line: str | bytes) -> SweepEvent:
    """The event in one line of JSON.

    Raises:
        RunError: the line is not an event of a sweep.
    """
    try:
        event: SweepEvent = msgspec.convert(revive(parse_json(line)), type=SweepEvent)
        return event
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise RunError(f"not an event of a sweep: {type(error).__name__}") from None
