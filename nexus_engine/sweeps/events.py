"""The events of a sweep: one frozen union, for types and for JSON."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from nexus_engine.disk.json_text import parse_json, plain, revive
from nexus_engine.errors import RunError
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
    """A run measured its dev Spearman at the end of an epoch (0: the base model)."""

    cell: str
    epoch: int
    epochs: int
    spearman: float
    best_spearman: float
    sets: int


class CellEnded(_SweepEvent, frozen=True, kw_only=True, tag="cell_ended"):
    """A run ended as `state`: finished, failed, stopped, or lost (its process died; it is retried).

    Figures are None unless it finished.
    """

    cell: str
    state: str
    message: str
    exit_code: int
    seconds: float
    base_dev_spearman: float | None = None
    best_dev_spearman: float | None = None
    test_spearman: float | None = None
    switches: int | None = None
    switches_kept: int | None = None
    params_trained: int | None = None


class SweepFinished(_SweepEvent, frozen=True, kw_only=True, tag="sweep_finished"):
    """Every run has ended. The best point has the highest mean dev Spearman over seeds."""

    sweep_dir: str
    runs: int
    runs_finished: int
    runs_failed: int
    points: int
    points_with_two_switches_kept: int
    best_cell: str
    best_run_dir: str
    best_values: dict[str, Any]
    best_dev_spearman: float
    best_dev_deviation: float | None
    best_test_spearman: float
    base_dev_spearman: float
    total_seconds: float


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
    """The event as one line of JSON, without a line end."""
    return json.dumps(plain(event), ensure_ascii=False, allow_nan=False)


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
