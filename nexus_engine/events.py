"""The events of a run: one frozen union, in memory and as JSON lines.

Every consumer (run folder, headless command, live screen, replay) receives these events and nothing
else. Field names carry the unit. Values are scalars, strings and short tuples of them; they are
never tensors or sentences of the user's data. JSON has no NaN or infinity, so a number that is not
finite is written as the string "NaN", "Infinity" or "-Infinity" and read back as that number.
"""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any, Literal

import msgspec

from nexus_engine.disk.growing_lines import SCHEMA_VERSION
from nexus_engine.disk.json_text import parse_json, plain, revive
from nexus_engine.errors import RunError

__all__ = [
    "MAX_CORRELATION",
    "MAX_EPOCHS",
    "MAX_UNIX_SECONDS",
    "TERMINAL_EVENTS",
    "CheckpointSaved",
    "ControlResult",
    "DendritesAdded",
    "EpochStarted",
    "Evaluated",
    "Event",
    "Log",
    "PauseChanged",
    "RunFailed",
    "RunFinished",
    "RunStarted",
    "RunStopped",
    "Step",
    "SwitchRecord",
    "SwitchSettled",
    "Warned",
    "decode_event",
    "encode_event",
    "is_correlation",
]


MAX_CORRELATION = 1.000001
"""Slightly above 1, since rounding may exceed it."""
MAX_EPOCHS = 1_000_000
"""A thousand times the limit of `--epochs`."""
MAX_INTEGER = 2**63 - 1
MAX_MEASURE = 1e15
"""For seconds, MB and pairs per second."""
MAX_UNIX_SECONDS = 1e11
"""Unix seconds: the year 5138."""
EPOCHS = frozenset(
    {"epoch", "epochs", "best_epoch", "epochs_per_pass", "switch", "switches", "switches_kept"}
)
CORRELATIONS = ("spearman", "pearson")
MEASURES = ("_seconds", "_mb", "_per_second")


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Fields of every event: `time_unix_s`, when it happened, and `arm`, the training it is from.

    `arm` is "main" for the run proper, or "control:NAME".
    """

    time_unix_s: float = 0.0
    arm: str = "main"


class RunStarted(_Event, frozen=True, kw_only=True, tag="run_started"):
    """The data is loaded and the model is checked; nothing is trained yet.

    An epoch is a pass over the train pairs, or one of `epochs_per_pass` parts of it.
    """

    run_dir: str
    name: str
    tune: str
    data: str
    data_fingerprint: str
    train_pairs: int
    dev_pairs: int
    test_pairs: int
    guard_pairs: int
    epochs: int
    epochs_per_pass: int = 1
    batch_size: int
    lr: float
    switches: int
    seed: int
    sites: int
    params_base: int
    device: str
    precision: str
    threads: int
    pid: int
    resumed: bool


class EpochStarted(_Event, frozen=True, kw_only=True, tag="epoch_started"):
    """An epoch begins. Epochs count from 1; `steps` is the number of its optimizer steps."""

    epoch: int
    epochs: int
    steps: int
    sets: int
    params_trained: int


class Step(_Event, frozen=True, kw_only=True, tag="step"):
    """One or a few optimizer steps are done; `loss` is their mean loss."""

    epoch: int
    step: int
    steps_total: int
    loss: float
    lr: float
    grad_norm: float
    pairs_per_second: float
    elapsed_seconds: float
    remaining_seconds: float
    rss_mb: float


class Evaluated(_Event, frozen=True, kw_only=True, tag="evaluated"):
    """Spearman's and Pearson's correlation of cosine similarity with the scores, -1..1.

    Epoch 0 is the base model. `guard_spearman` is the rank correlation between this model's and the
    base model's similarities on the guard, general pairs that are never trained on: 1 means that
    their order is unchanged. `guard_scored_spearman` correlates this model's similarities with the
    guard pairs' own scores and so measures general quality.
    """

    epoch: int
    split: Literal["dev", "test"]
    pairs: int
    spearman: float
    pearson: float
    guard_spearman: float
    guard_scored_spearman: float
    is_best: bool
    best_spearman: float
    best_epoch: int
    eval_seconds: float


class DendritesAdded(_Event, frozen=True, kw_only=True, tag="dendrites_added"):
    """A switch: the best weights are restored, a set is grown, optimizer and schedule restart."""

    switch: int
    epoch: int
    sites: int
    units: int
    params_added: int
    params_added_total: int
    params_trained: int
    spearman_before: float


class SwitchSettled(_Event, frozen=True, kw_only=True, tag="switch_settled"):
    """The trial of a set ended: by its effect on dev Spearman it is kept or rolled back exactly."""

    switch: int
    epoch: int
    kept: bool
    spearman_before: float
    spearman_after: float
    params_added: int


class CheckpointSaved(_Event, frozen=True, kw_only=True, tag="checkpoint_saved"):
    """A checkpoint to resume from is completely on disk. `path` is relative to the run folder."""

    path: str
    epoch: int
    step: int
    size_bytes: int
    save_seconds: float


class PauseChanged(_Event, frozen=True, kw_only=True, tag="pause_changed"):
    """The run pauses before its next step, on request, or continues."""

    paused: bool


class Log(_Event, frozen=True, kw_only=True, tag="log"):
    """A note for the log."""

    message: str


class Warned(_Event, frozen=True, kw_only=True, tag="warning"):
    """Something that the user should know; the run continues."""

    message: str


class SwitchRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One switch in the result: its parameters, and dev Spearman before and after."""

    switch: int
    epoch: int
    kept: bool
    spearman_before: float
    spearman_after: float
    params_added: int


class ControlResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a control, and the gain of the run with dendrites over it.

    `gain_low` and `gain_high` bound the dev gain: the 95 % confidence interval of a paired
    bootstrap over the dev pairs.
    """

    name: str
    description: str
    params_trained: int
    dev_spearman: float
    test_spearman: float
    guard_spearman: float
    best_epoch: int
    gain_dev_spearman: float
    gain_low: float
    gain_high: float


class RunFinished(_Event, frozen=True, kw_only=True, tag="run_finished"):
    """The run's result. Of `switches` sets grown, `switches_kept` were kept."""

    run_dir: str
    base_dev_spearman: float
    base_test_spearman: float
    best_dev_spearman: float
    best_dev_pearson: float
    best_epoch: int
    test_spearman: float
    test_pearson: float
    guard_spearman: float
    guard_scored_spearman: float
    base_guard_scored_spearman: float
    switches: int
    switches_kept: int
    switch_records: tuple[SwitchRecord, ...]
    params_base: int
    params_trained: int
    params_added: int
    epochs: int
    train_seconds: float
    total_seconds: float
    pairs_per_second: float
    peak_rss_mb: float
    control_dev_spearman: float | None = None
    control_test_spearman: float | None = None
    controls: tuple[ControlResult, ...] = ()


class RunFailed(_Event, frozen=True, kw_only=True, tag="run_failed"):
    """The run failed. `message` is one line; `exit_code` is one of `errors.ExitCode`."""

    message: str
    kind: str
    exit_code: int


class RunStopped(_Event, frozen=True, kw_only=True, tag="run_stopped"):
    """The run stopped on request, within a step; it resumes from `checkpoint`."""

    reason: str
    exit_code: int
    epoch: int
    step: int
    checkpoint: str


Event = (
    RunStarted
    | EpochStarted
    | Step
    | Evaluated
    | DendritesAdded
    | SwitchSettled
    | CheckpointSaved
    | PauseChanged
    | Log
    | Warned
    | RunFinished
    | RunFailed
    | RunStopped
)

TERMINAL_EVENTS = (RunFinished, RunFailed, RunStopped)
"""Every run ends with exactly one of these."""


def encode_event(event: Event) -> str:
    """The event as one line of JSON, without a line end."""
    return json.dumps(plain(event), ensure_ascii=False, allow_nan=False)


def decode_event(line: str | bytes) -> Event:
    """The event of one line of JSON.

    Raises:
        RunError: the line is not an event of this schema, or a number in it is out of range.
    """
    try:
        event = _DECODER.decode(line)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        event = _decode_named_numbers(line)
    field = out_of_range(event)
    if field:
        raise RunError(f"not an event of schema {SCHEMA_VERSION}: {field} is out of range")
    return event


_DECODER: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
"""Decodes events whose numbers are all finite, several times as fast as `_decode_named_numbers`."""


def _decode_named_numbers(line: str | bytes) -> Event:
    """The event of a line that may hold "NaN", "Infinity" or "-Infinity" for a number.

    Raises:
        RunError: the line is not an event.
    """
    try:
        event: Event = msgspec.convert(revive(parse_json(line)), type=Event)
    except (ValueError, msgspec.ValidationError) as error:
        raise RunError(f"not an event of schema {SCHEMA_VERSION}: {type(error).__name__}") from None
    return event


# The ranges of numbers in events. Readers compute with them, whoever wrote the file. A number that
# is not finite is shown as it is; a finite one must lie in the range of its unit.


def is_correlation(value: float) -> bool:
    """Whether `value` is in the range of a correlation; one that is not finite passes."""
    return not math.isfinite(value) or abs(value) <= MAX_CORRELATION


@cache
def _max_size(name: str) -> float:
    """The largest absolute value that the field `name` may have."""
    if name in EPOCHS:
        return MAX_EPOCHS
    if name.endswith("_unix_s"):
        return MAX_UNIX_SECONDS
    if name.startswith("gain_"):
        return 2 * MAX_CORRELATION
    if name.endswith(CORRELATIONS):
        return MAX_CORRELATION
    return MAX_MEASURE if name.endswith(MEASURES) else math.inf


def out_of_range(value: msgspec.Struct) -> str:
    """The first field out of range in an event, or in a record inside it; "" if there is none."""
    for name in value.__struct_fields__:
        field = _field_out_of_range(name, getattr(value, name))
        if field:
            return field
    return ""


def _field_out_of_range(name: str, value: Any) -> str:
    if isinstance(value, tuple):
        return next(filter(None, map(out_of_range, value)), "")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    max_size = _max_size(name)
    if isinstance(value, int):
        low = 0 if name in EPOCHS else -MAX_INTEGER
        return "" if low <= value <= min(max_size, MAX_INTEGER) else name
    if math.isfinite(value):
        return "" if abs(value) <= max_size else name
    return name if name.endswith("_unix_s") else ""
