"""Means, deviations and intervals over the seeds of one configuration."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from typing import Any

import msgspec
from scipy import stats

from nexus_engine.reports.gather import Run
from nexus_engine.scores import Metric

__all__ = ["Estimate", "Group", "estimate", "groups"]

NOT_THE_CONFIGURATION = ("seed", "threads", "device", "precision", "control")
"""Settings that may differ between the runs of one configuration."""
MAX_VALUE = 1e150
"""The squares of larger numbers overflow: they get a mean and no interval."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A mean over `n` runs; `low` and `high` bound its 95 % interval, None without one."""

    mean: float
    n: int
    deviation: float | None = None
    low: float | None = None
    high: float | None = None


def estimate(values: Sequence[float]) -> Estimate | None:
    """The mean and its 95 % Student's t interval; no interval for one value, None for no values."""
    if not values:
        return None
    n = len(values)
    if n < 2 or not all(abs(value) <= MAX_VALUE for value in values):  # also false for NaN
        mean = sum(value / n for value in values)
        if all(map(math.isfinite, values)):  # rounding may lead past the largest float
            mean = min(max(mean, min(values)), max(values))
        return Estimate(mean=mean, n=n)
    mean, deviation = statistics.fmean(values), statistics.stdev(values)
    half = float(stats.t.ppf(0.975, n - 1)) * deviation / math.sqrt(n)
    return Estimate(mean=mean, n=n, deviation=deviation, low=mean - half, high=mean + half)


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The finished runs of one configuration; `label` names the settings that set it apart.

    All of them are judged by `metric`. `gain` is the dev score above that of the strictest control,
    paired by run. For a single run, its interval is the control's bootstrap over the dev examples.
    """

    label: str
    metric: Metric
    runs: tuple[Run, ...]
    dev: Estimate
    test: Estimate
    gain: Estimate | None
    params_trained: int
    switches_kept: tuple[int, ...]
    switches: tuple[int, ...]


def _configuration(run: Run) -> dict[str, Any]:
    return {k: v for k, v in run.settings.items() if k not in NOT_THE_CONFIGURATION}


def _differences(configurations: Sequence[dict[str, Any]]) -> list[str]:
    """The settings in which the configurations differ, among those that all of them have."""
    shared = [name for name in configurations[0] if all(name in c for c in configurations)]
    differing = [name for name in shared if len({json.dumps(c[name]) for c in configurations}) > 1]
    if all(c.get("dendrite_lr") == c.get("lr") for c in configurations):
        return [name for name in differing if name != "dendrite_lr"]
    return differing


def value_text(value: Any) -> str:
    """A setting as you would type it."""
    if isinstance(value, list | tuple):
        return ",".join(value_text(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "-" if value is None else str(value)


def groups(runs: Sequence[Run]) -> tuple[Group, ...]:
    """The finished runs by configuration, highest mean dev score first, each metric apart."""
    metrics = dict.fromkeys(run.metric for run in runs)
    return tuple(group for metric in metrics for group in _groups(runs, metric))


def _groups(runs: Sequence[Run], metric: Metric) -> list[Group]:
    """The configurations of the finished runs that `metric` judges."""
    finished = [run for run in runs if run.result is not None and run.metric == metric]
    grouped: dict[str, list[Run]] = {}
    for run in finished:
        key = json.dumps(_configuration(run), sort_keys=True)
        grouped.setdefault(key, []).append(run)
    configurations = [json.loads(key) for key in grouped]
    differing = _differences(configurations) if configurations else []
    results = []
    for configuration, members in zip(configurations, grouped.values(), strict=True):
        parts = [f"{name} {value_text(configuration.get(name))}" for name in differing]
        results.append(_group(", ".join(parts) or members[0].label, metric, members))
    return sorted(results, key=lambda group: -group.dev.mean)


def _group(label: str, metric: Metric, runs: Sequence[Run]) -> Group:
    results = [run.result for run in runs if run.result is not None]

    def mean(values: list[float]) -> Estimate:
        value = estimate(values)
        assert value is not None  # a group has a run
        return value

    gains = [r.best_dev - r.control_dev for r in results if r.control_dev is not None]
    gain = estimate(gains)
    if gain is not None and gain.n == 1:
        control = max(
            (c for r in results for c in r.controls), key=lambda c: c.dev_score, default=None
        )
        if control is not None:
            gain = Estimate(mean=gain.mean, n=1, low=control.gain_low, high=control.gain_high)
    return Group(
        label=label,
        metric=metric,
        runs=tuple(runs),
        dev=mean([r.best_dev for r in results]),
        test=mean([r.test_score for r in results]),
        gain=gain,
        params_trained=max(r.params_trained for r in results),
        switches_kept=tuple(r.switches_kept for r in results),
        switches=tuple(r.switches for r in results),
    )
