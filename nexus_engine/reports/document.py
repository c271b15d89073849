"""The report as sections of words, tables and charts; page and Markdown only set it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from nexus_engine.errors import one_line
from nexus_engine.events import RunFinished
from nexus_engine.reports.charts import Dot, Line, Mark, heat_map, line_chart, scatter
from nexus_engine.reports.figures import Estimate, Group, groups, value_text
from nexus_engine.reports.gather import Gathered, Run
from nexus_engine.sweeps.view import SweepView, best_point, points

__all__ = ["Document", "Section", "Table", "document"]

MAX_CURVES = 12
"""Runs whose curves share a chart; the others stand in the tables."""
MAX_LOSS_CURVES = 4
"""Losses of single steps are noisy: more runs than this hide each other."""


class Table(NamedTuple):
    """A header and rows of text; `right` says which columns are numbers."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[bool, ...]


class Section(NamedTuple):
    """A part of the report: words, then charts, then tables."""

    title: str
    words: tuple[str, ...] = ()
    charts: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()


class Document(NamedTuple):
    """A whole report."""

    title: str
    sections: tuple[Section, ...]


def figure(value: float | None) -> str:
    """A correlation with four digits."""
    return "-" if value is None else f"{value:.4f}"


def signed(value: float) -> str:
    """A difference with its sign."""
    return f"{value:+.4f}"


def interval(found: Estimate | None, *, sign: bool = False) -> str:
    """A mean with its 95 % interval, where there is one."""
    if found is None:
        return "-"
    show = signed if sign else figure
    if found.low is None or found.high is None:
        return show(found.mean)
    return f"{show(found.mean)} [{show(found.low)}, {show(found.high)}]"


def document(gathered: Gathered) -> Document:
    """The report on what was gathered."""
    found = groups(gathered.runs)
    sections = [_results(gathered, found)]
    sections += [_sweep(view) for view in gathered.sweeps]
    shown = _shown(gathered.runs, found)
    names = _names(found)
    sections += [_curves(shown, names), _switches(gathered.runs)]
    if len({group.params_trained for group in found}) > 1:
        sections.append(_parameters(found))
    sections += [
        _controls(gathered.runs),
        _guard(gathered.runs, shown, names),
        _environment(gathered.runs),
    ]
    asked = [view.name for view in gathered.sweeps] or [run.name for run in gathered.runs]
    title = one_line(asked[0], 80) if len(asked) == 1 else f"{len(asked)} runs and sweeps"
    return Document(title, tuple(s for s in sections if s.charts or s.tables or s.words))


def _shown(runs: Sequence[Run], found: Sequence[Group]) -> tuple[Run, ...]:
    """The runs whose curves are drawn: those of the best configurations first."""
    ordered = [run for group in found for run in group.runs]
    ordered += [run for run in runs if run.result is None]
    return tuple(ordered[:MAX_CURVES])


def _names(found: Sequence[Group]) -> dict[str, str]:
    """What a run's curve is called: its configuration, and its seed where that has several."""
    if sum(len(group.runs) for group in found) < 2:
        return {}
    names = {}
    for group in found:
        for run in group.runs:
            seed = f", seed {run.settings.get('seed', '?')}" if len(group.runs) > 1 else ""
            names[run.name] = one_line(group.label + seed, 90)
    return names


def _results(gathered: Gathered, found: Sequence[Group]) -> Section:
    rows = []
    base = next((run.result for run in gathered.runs if run.result is not None), None)
    if base is not None:
        rows.append(
            (
                "base model",
                "",
                figure(base.base_dev_spearman),
                figure(base.base_test_spearman),
                "",
                "0",
                "",
            )
        )
    for group in found:
        kept = sum(group.kept)
        rows.append(
            (
                group.label,
                str(group.dev.n),
                interval(group.dev),
                interval(group.test),
                interval(group.gain, sign=True),
                f"{group.params_trained:,}",
                f"{kept} of {sum(group.switches)}",
            )
        )
    words = [
        "Spearman's rank correlation at the epoch of best dev. In brackets: the 95 % interval of "
        "the mean over runs (Student's t); the gain over the control is paired by run, and for a "
        "single run its interval is that of a bootstrap over the dev pairs."
    ]
    words += [warning for run in gathered.runs for warning in run.warnings]
    unfinished = [run for run in gathered.runs if run.result is None]
    words += [f"{run.label}: {run.state}. {run.message}".rstrip() for run in unfinished]
    header = ("configuration", "runs", "dev", "test", "over control (dev)", "trained", "sets kept")
    table = Table(header, tuple(rows), (False, True, True, True, True, True, True))
    return Section("Results", tuple(words), (), (table,) if rows else ())


def _sweep(view: SweepView) -> Section:
    """The grid as a heat map: the first axis down, all others across."""
    found = points(view.cells)
    best = best_point(found)
    done = sum(cell.state == "finished" for cell in view.cells)
    words = [f"{done} of {len(view.cells)} runs finished, {len(view.seeds)} seed(s)."]
    two = sum((point.fewest_switches_kept or 0) >= 2 for point in found)
    words.append(f"{two} of {len(found)} configurations kept two sets or more in every run.")
    if best is not None:
        parts = [
            f"{axis.name} {value_text(value)}"
            for axis, value in zip(view.axes, best.values, strict=True)
        ]
        words.append(f"Best: {', '.join(parts)}, dev {figure(best.dev_spearman)}.")
    charts = []
    if view.axes:
        first, *others = view.axes
        columns = list(itertools.product(*(axis.values for axis in others)))
        by_values = {repr(list(point.values)): point.dev_spearman for point in found}
        grid = [[by_values.get(repr([row, *column])) for column in columns] for row in first.values]
        names = [" / ".join(value_text(v) for v in column) or "dev" for column in columns]
        charts.append(
            heat_map(
                [value_text(value) for value in first.values],
                names,
                grid,
                "Mean dev Spearman over the grid",
                first.name,
                " / ".join(axis.name for axis in others),
            )
        )
    header = (*(axis.name for axis in view.axes), "runs", "dev", "deviation", "test", "sets kept")
    rows = tuple(
        (
            *(value_text(value) for value in point.values),
            f"{point.finished}/{point.runs}",
            figure(point.dev_spearman),
            figure(point.deviation),
            figure(point.test_spearman),
            "-" if point.switches_kept is None else f"{point.switches_kept:g}",
        )
        for point in sorted(found, key=lambda p: -(p.dev_spearman or -math.inf))
    )
    table = Table(header, rows, (True,) * len(header))
    return Section(f"Sweep {one_line(view.name, 80)}", tuple(words), tuple(charts), (table,))


def _curves(runs: Sequence[Run], names: dict[str, str]) -> Section:
    lines: list[Line] = []
    losses: list[Line] = []
    for i, run in enumerate(runs):
        for arm in run.arms:
            main = arm.name == "main"
            if not main and len(runs) > 1:
                continue  # with many runs their controls would hide them; the table has them
            colour = i if len(runs) > 1 else len(lines)
            label = names.get(run.name, run.label)
            name = label if main else arm.name.replace(":", " ", 1)
            lines.append(
                Line(
                    one_line(name, 90),
                    tuple((point.epoch, point.spearman) for point in arm.points),
                    dashed=not main,
                    colour=colour,
                )
            )
            if main and arm.losses and len(runs) <= MAX_LOSS_CURVES:
                losses.append(Line(label, arm.losses, colour=colour))
    marks = _marks(runs[0]) if len(runs) == 1 else ()
    charts = [
        line_chart(lines, "Dev Spearman by epoch", "epoch", "dev Spearman", marks),
        line_chart(losses, "Training loss by step", "step", "loss", dots=False),
    ]
    return Section("Curves", (), tuple(chart for chart in charts if chart))


def _marks(run: Run) -> tuple[Mark, ...]:
    """A switch is marked at the epoch after which its set grew."""
    return tuple(
        Mark(
            run.grown_after.get(record.switch, record.epoch),
            f"set {record.switch} {'kept' if record.kept else 'rolled back'}",
            record.kept,
        )
        for record in run.switches
    )


def _switches(runs: Sequence[Run]) -> Section:
    rows = []
    for run in runs:
        rows += [
            (
                run.label,
                str(record.switch),
                str(run.grown_after.get(record.switch, "-")),
                str(record.epoch),
                figure(record.spearman_before),
                figure(record.spearman_after),
                signed(record.spearman_after - record.spearman_before),
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
    words = (
        "A set is grown with no effect, trained, and kept if dev Spearman rose above what it was "
        "before; what a rise is worth, the control says.",
    )
    return Section("Switches", words, (), (Table(header, tuple(rows), right),)) if rows else _NONE


_NONE = Section("")


def _parameters(found: Sequence[Group]) -> Section:
    dots = [
        Dot(g.label, g.params_trained, g.dev.mean, g.dev.low, g.dev.high, i)
        for i, g in enumerate(found)
    ]
    result = found[0].runs[0].result
    base = float("nan") if result is None else result.base_dev_spearman
    chart = scatter(
        dots,
        "Dev Spearman against trained parameters",
        "trained parameters (logarithmic)",
        "dev Spearman",
        base,
    )
    return Section("Parameters", (), (chart,)) if chart else _NONE


def _controls(runs: Sequence[Run]) -> Section:
    rows = [
        (
            run.label,
            one_line(control.name, 40),
            one_line(control.description, 100),
            figure(control.dev_spearman),
            figure(control.test_spearman),
            f"{control.params_trained:,}",
            f"{signed(control.gain_dev_spearman)} [{signed(control.gain_low)}, "
            f"{signed(control.gain_high)}]",
        )
        for run in runs
        if run.result is not None
        for control in run.result.controls
    ]
    if not rows:
        return _NONE
    header = ("run", "control", "what it is", "dev", "test", "trained", "gain of the run (95 %)")
    right = (False, False, False, True, True, True, True)
    return Section("Controls", (), (), (Table(header, tuple(rows), right),))


def _guard(runs: Sequence[Run], shown: Sequence[Run], names: dict[str, str]) -> Section:
    lines = [
        Line(
            names.get(run.name, run.label),
            tuple((p.epoch, p.guard_spearman) for p in arm.points),
            colour=i,
        )
        for i, run in enumerate(shown)
        for arm in run.arms
        if arm.name == "main"
    ]
    chart = line_chart(lines, "Guard Spearman by epoch", "epoch", "agreement with base")
    rows = tuple(
        (
            run.label,
            figure(run.result.guard_spearman),
            figure(run.result.base_guard_scored_spearman),
            figure(run.result.guard_scored_spearman),
        )
        for run in runs
        if run.result is not None
    )
    words = (
        "General pairs that were not trained on: how far the order of their similarities still "
        "agrees with the base model's (1: untouched), and how well each orders them by their own "
        "scores.",
    )
    table = Table(
        ("run", "agreement", "base by scores", "tuned by scores"), rows, (False, True, True, True)
    )
    if not rows and not chart:
        return _NONE
    return Section("Forgetting guard", words, (chart,) if chart else (), (table,) if rows else ())


def _environment(runs: Sequence[Run]) -> Section:
    rows = []
    for run in runs:
        versions = run.facts.get("versions")
        torch = versions.get("torch", "-") if isinstance(versions, dict) else "-"
        result = run.result
        rows.append(
            (
                run.label,
                one_line(run.facts.get("data_name", "-"), 40),
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


def _cost(result: RunFinished | None) -> tuple[str, str, str]:
    if result is None:
        return "-", "-", "-"
    seconds, pace = result.train_seconds, result.pairs_per_second
    return f"{seconds:.0f}", f"{pace:.0f}", f"{result.peak_rss_mb:.0f}"


def _common(runs: Sequence[Run]) -> list[Table]:
    """The settings that all the runs share."""
    if not runs:
        return []
    first: dict[str, Any] = runs[0].settings
    shared = {k: v for k, v in first.items() if all(run.settings.get(k) == v for run in runs)}
    rows = tuple(
        (name, one_line(value_text(value), 80))
        for name, value in shared.items()
        if name not in ("data", "base")  # paths of this machine; the data's name stands above
    )
    return [Table(("setting of every run", "value"), rows, (False, False))]
