"""What a run tells the world: one frozen union of events, for types and for JSON.

Every consumer (run folder, headless command, live screen, replay) sees these and nothing else.
Fields carry their unit in the name. Values are scalars, strings and short tuples of them, never
tensors and never a sentence of the user's data. A number that is not finite stays what it is: JSON
has no NaN, so it is written as the string "NaN", "Infinity" or "-Infinity" and read back as such.
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
    "LAST_MOMENT",
    "MAX_CORRELATION",
    "MAX_EPOCHS",
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
"""Rounding may take it beyond 1."""
MAX_EPOCHS = 1_000_000
"""A thousand times what `--epochs` takes."""
MAX_INTEGER = 2**63 - 1
MAX_MEASURE = 1e15
"""Seconds, MB and pairs per second."""
LAST_MOMENT = 1e11
"""Unix seconds: the year 5138."""
EPOCHS = frozenset(
    {"epoch", "epochs", "best_epoch", "epochs_per_pass", "switch", "switches", "switches_kept"}
)
CORRELATIONS = ("spearman", "pearson")
MEASURES = ("_seconds", "_mb", "_per_second")


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Common fields: `time_unix_s`, when it happened; `arm`, the run proper or one of its controls.

    `arm` is "main" or "control:NAME".
    """

    time_unix_s: float = 0.0
    arm: str = "main"


class RunStarted(_Event, frozen=True, kw_only=True, tag="run_started"):
    """The data is loaded, the model checked, nothing is trained yet.

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
    """An epoch begins; epochs count from 1. `steps` is its length in optimizer steps."""

    epoch: int
    epochs: int
    steps: int
    sets: int
    params_trained: int


class Step(_Event, frozen=True, kw_only=True, tag="step"):
    """An optimizer step was made (or a few: `loss` is then their mean)."""

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
    """Rank and linear correlation of cosine similarity with the scores, -1..1.

    Epoch 0 is the base model. `guard_spearman` is the rank agreement between this model's and the
    base model's similarities on general pairs that are not trained on: 1 means that the order of
    general similarities is untouched. `guard_scored_spearman` is the same model against the guard
    pairs' own scores: general ability itself.
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
    """A switch: best weights back, one more set grown, optimizer and schedule new."""

    switch: int
    epoch: int
    sites: int
    units: int
    params_added: int
    params_added_total: int
    params_trained: int
    spearman_before: float


class SwitchSettled(_Event, frozen=True, kw_only=True, tag="switch_settled"):
    """The trial of a set ended: kept, or rolled back exactly, by its own effect on dev Spearman."""

    switch: int
    epoch: int
    kept: bool
    spearman_before: float
    spearman_after: float
    params_added: int


class CheckpointSaved(_Event, frozen=True, kw_only=True, tag="checkpoint_saved"):
    """A resumable checkpoint is whole on disk. `path` is relative to the run folder."""

    path: str
    epoch: int
    step: int
    size_bytes: int
    save_seconds: float


class PauseChanged(_Event, frozen=True, kw_only=True, tag="pause_changed"):
    """The run waits before its next step, as it was asked to, or goes on."""

    paused: bool


class Log(_Event, frozen=True, kw_only=True, tag="log"):
    """A remark for the reader of the log."""

    message: str


class Warned(_Event, frozen=True, kw_only=True, tag="warning"):
    """Something the user should know, though the run goes on."""

    message: str


class SwitchRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One switch in the result: what it cost and what it brought on dev."""

    switch: int
    epoch: int
    kept: bool
    spearman_before: float
    spearman_after: float
    params_added: int


class ControlResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a control reached, and how far the run with dendrites is ahead of it.

    `gain_low` and `gain_high` bound the dev gain: 95 % interval of a paired bootstrap over the dev
    pairs.
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
    """The run's result. `switches` were tried, `switches_kept` of them kept."""

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
    """The run cannot go on. `message` is one line; `exit_code` is the documented one."""

    message: str
    kind: str
    exit_code: int


class RunStopped(_Event, frozen=True, kw_only=True, tag="run_stopped"):
    """The run was asked to stop and did, within a step; `checkpoint` resumes it."""

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
"""Exactly one of these ends every run."""


def encode_event(event: Event) -> str:
    """One line of JSON, without a line end."""
    return json.dumps(plain(event), ensure_ascii=False, allow_nan=False)


def decode_event(line: str | bytes) -> Event:
    """The event of one line of JSON.

    Raises:
        RunError: the line is not an event of this schema, or holds a number that no run can write.
    """
    try:
        event = _DECODER.decode(line)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        event = _decode_carefully(line)
    wrong = out_of_range(event)
    if wrong:
        raise RunError(f"not an event of schema {SCHEMA_VERSION}: {wrong} is out of range")
    return event


_DECODER: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
"""Reads every event whose numbers are finite, several times as fast as the careful way."""


def _decode_carefully(line: str | bytes) -> Event:
    """The event of a line that may hold the name of a number that is not finite.

    Raises:
        RunError: it is none.
    """
    try:
        event: Event = msgspec.convert(revive(parse_json(line)), type=Event)
    except (ValueError, msgspec.ValidationError) as error:
        raise RunError(f"not an event of schema {SCHEMA_VERSION}: {type(error).__name__}") from None
    return event


# Which numbers an event may hold: its reader computes with them, whoever wrote it. A number that is
# not finite is shown as it is; a finite one must be of a size that its unit can have.


def is_correlation(value: float) -> bool:
    """Whether `value` can be a correlation, or a broken one that is shown as it is."""
    return not math.isfinite(value) or abs(value) <= MAX_CORRELATION


@cache
def _largest(name: str) -> float:
    """The size of the largest finite number in the field `name`."""
    if name in EPOCHS:
        return MAX_EPOCHS
    if name.endswith("_unix_s"):
        return LAST_MOMENT
    if name.startswith("gain_"):
        return 2 * MAX_CORRELATION
    if name.endswith(CORRELATIONS):
        return MAX_CORRELATION
    return MAX_MEASURE if name.endswith(MEASURES) else math.inf


def out_of_range(value: msgspec.Struct) -> str:
    """The name of a field that no run can have written, of an event or a record in it; or ""."""
    for name in value.__struct_fields__:
        wrong = _wrong(name, getattr(value, name))
        if wrong:
            return wrong
    return ""


def _wrong(name: str, held: Any) -> str:
    if isinstance(held, tuple):
        return next(filter(None, map(out_of_range, held)), "")
    if isinstance(held, bool) or not isinstance(held, int | float):
        return ""
    largest = _largest(name)
    if isinstance(held, int):
        low = 0 if name in EPOCHS else -MAX_INTEGER
        return "" if low <= held <= min(largest, MAX_INTEGER) else name
    if math.isfinite(held):
        return "" if abs(held) <= largest else name
    return name if name.endswith("_unix_s") else ""
