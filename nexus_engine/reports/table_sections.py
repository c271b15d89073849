"""The sections of a report that hold tables alone: results, switches, controls, environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nexus_engine.errors import one_line
from nexus_engine.events import RunFinished
from nexus_engine.metric_words import METRIC_WORDS
from nexus_engine.reports.figures import Group, value_text
from nexus_engine.reports.gather import Gathered, Run
from nexus_engine.reports.parts import NO_SECTION, Section, Table, figure, interval, signed
from nexus_engine.scores import Metric
from nexus_engine.settings.shown import shown_settings

__all__ = ["controls", "environment", "results", "switches"]


def results(gathered: Gathered, configurations: Sequence[Group]) -> Section:
    """The figures of each configuration beside the base model, warnings, and unfinished runs.

    Runs that different metrics judge have a table each: their figures cannot be ranked.
    """
    metrics = list(dict.fromkeys(run.metric for run in gathered.runs)) or ["spearman"]
    paragraphs = [_explained(metric) for metric in metrics]
    if len(metrics) > 1:
        names = " and ".join(METRIC_WORDS[metric].name for metric in metrics)
        paragraphs.append(f"{names} are different measures: each has its own table.")
    paragraphs += [warning for run in gathered.runs for warning in run.warnings]
    unfinished = [run for run in gathered.runs if run.result is None]
    paragraphs += [f"{run.label}: {run.state}. {run.message}".rstrip() for run in unfinished]
    tables = [
        _result_table(metric, gathered, configurations)
        for metric in metrics
        if any(run.result is not None and run.metric == metric for run in gathered.runs)
    ]
    return Section("Results", tuple(paragraphs), (), tuple(tables))


def _explained(metric: Metric) -> str:
    words = METRIC_WORDS[metric]
    return (
        f"Figures are {words.explained} at the epoch with the best dev {words.name}. Brackets "
        "hold the 95 % interval of the mean over runs (Student's t). The gain over the control is "
        "paired by run; for a single run, its interval is a bootstrap over the dev "
        f"{words.examples}."
    )


def _result_table(metric: Metric, gathered: Gathered, configurations: Sequence[Group]) -> Table:
    rows = []
    base = next(
        (run.result for run in gathered.runs if run.result is not None and run.metric == metric),
        None,
    )
    if base is not None:
        rows.append(("base model", "", figure(base.base_dev), figure(base.base_test), "", "0", ""))
    rows += [
        (
            group.label,
            str(group.dev.n),
            interval(group.dev),
            interval(group.test),
            interval(group.gain, sign=True),
            f"{group.params_trained:,}",
            f"{sum(group.switches_kept)} of {sum(group.switches)}",
        )
        for group in configurations
        if group.metric == metric
    ]
    dev, test = "dev", "test"
    if metric != "spearman":
        name = METRIC_WORDS[metric].name
        dev, test = f"dev {name}", f"test {name}"
    header = ("configuration", "runs", dev, test, "over control (dev)", "trained", "sets kept")
    return Table(header, tuple(rows), (False, True, True, True, True, True, True))


def switches(runs: Sequence[Run]) -> Section:
    """Every switch of every run: when its set grew, what it changed, whether it was kept."""
    rows = []
    for run in runs:
        rows += [
            (
                run.label,
                str(record.switch),
                str(run.grown_after.get(record.switch, "-")),
                str(record.epoch),
                figure(record.before),
                figure(record.after),
                signed(record.after - record.before),
                "kept" if record.kept else "rolled back",
                f"{record.params_added:,}",
            )
            for record in run.switches
        ]
    header = (
        *("run", "set", "grown after", "settled after", "dev before", "best of its trial"),
        *("change", "outcome", "parameters"),
    )
    right = (False, True, True, True, True, True, True, False, True)
    paragraph = (
        f"A set starts without effect and is trained. It is kept if {_dev_score(runs)} rises above "
        "its value before the switch; the control shows how much of the rise is due to the set."
    )
    if not rows:
        return NO_SECTION
    return Section("Switches", (paragraph,), (), (Table(header, tuple(rows), right),))


def _dev_score(runs: Sequence[Run]) -> str:
    metrics = {run.metric for run in runs}
    return f"dev {METRIC_WORDS[metrics.pop()].name}" if len(metrics) == 1 else "the dev score"


def controls(runs: Sequence[Run]) -> Section:
    """The controls of the finished runs, each with the gain of the run over it."""
    rows = [
        (
            run.label,
            one_line(control.name, 40),
            one_line(control.description, 100),
            figure(control.dev_score),
            figure(control.test_score),
            f"{control.params_trained:,}",
            f"{signed(control.gain_dev)} [{signed(control.gain_low)}, {signed(control.gain_high)}]",
        )
        for run in runs
        if run.result is not None
        for control in run.result.controls
    ]
    if not rows:
        return NO_SECTION
    header = ("run", "control", "what it is", "dev", "test", "trained", "gain of the run (95 %)")
    right = (False, False, False, True, True, True, True)
    return Section("Controls", (), (), (Table(header, tuple(rows), right),))


def environment(runs: Sequence[Run]) -> Section:
    """The data, machine and cost of each run, and the settings that all runs share."""
    rows = []
    for run in runs:
        versions = run.facts.get("versions")
        torch = versions.get("torch", "-") if isinstance(versions, dict) else "-"
        result = run.result
        rows.append(
            (
                run.label,
                _data_name(run.facts),
                str(run.settings.get("seed", "-")),
                one_line(f"{run.facts.get('device', '-')} {run.facts.get('precision', '')}", 40),
                str(run.facts.get("threads", "-")),
                one_line(torch, 40),
                *_cost(result),
            )
        )
    header = (
        *("run", "data", "seed", "device", "threads", "torch", "train s", "pairs/s"),
        "peak memory MB",
    )
    right = (False, False, True, False, True, False, True, True, True)
    tables = [Table(header, tuple(rows), right)] if rows else []
    tables += _common(runs)
    return Section("Environment and settings", (), (), tuple(tables))


def _data_name(facts: Mapping[str, Any]) -> str:
    """The name of the data; of labels also the first digits of their fingerprint."""
    name = one_line(facts.get("data_name", "-"), 40)
    labels = one_line(facts.get("labels", ""), 16)
    return f"{name} (labels {labels})" if labels else name


def _cost(result: RunFinished | None) -> tuple[str, str, str]:
    if result is None:
        return "-", "-", "-"
    seconds, pace = result.train_seconds, result.pairs_per_second
    return f"{seconds:.0f}", f"{pace:.0f}", f"{result.peak_rss_mb:.0f}"


def _common(runs: Sequence[Run]) -> list[Table]:
    """The settings that all the runs share."""
    if not runs:
        return []
    first, *others = [shown_settings(run.settings) for run in runs]
    shared = {
        name: value
        for name, value in first.items()
        if all(name in other and other[name] == value for other in others)
    }
    rows = tuple(
        (name, one_line(value_text(value), 80))
        for name, value in shared.items()
        # Paths on this machine are left out; the table above names the data.
        if name not in ("data", "base", "corpus")
    )
    return [Table(("setting of every run", "value"), rows, (False, False))]
