"""The sections of a report that hold charts: sweeps, curves, parameters."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from nexus_engine.errors import one_line
from nexus_engine.metric_words import metric_name
from nexus_engine.reports.charts import Dot, Line, Mark, heat_map, line_chart, scatter
from nexus_engine.reports.figures import Group, value_text
from nexus_engine.reports.gather import Run
from nexus_engine.reports.parts import NO_SECTION, Section, Table, figure
from nexus_engine.scores import Metric
from nexus_engine.sweeps.view import SweepView, best_point, points

__all__ = ["curves", "parameters", "sweep"]

MAX_LOSS_CURVES = 4
"""Losses of single steps are noisy: those of more runs would hide each other."""


def sweep(view: SweepView) -> Section:
    """The grid as a heat map: the first axis down, all others across."""
    combinations = points(view.cells)
    best = best_point(combinations)
    finished = sum(cell.state == "finished" for cell in view.cells)
    with_two = sum((point.fewest_switches_kept or 0) >= 2 for point in combinations)
    paragraphs = [
        f"{finished} of {len(view.cells)} runs finished, {len(view.seeds)} seed(s).",
        f"{with_two} of {len(combinations)} configurations kept two sets or more in every run.",
    ]
    if best is not None:
        parts = [
            f"{axis.name} {value_text(value)}"
            for axis, value in zip(view.axes, best.values, strict=True)
        ]
        dev = "dev" if view.metric in (None, "spearman") else f"dev {metric_name(view.metric)}"
        paragraphs.append(f"Best: {', '.join(parts)}, {dev} {figure(best.dev_score)}.")
    charts = []
    if view.axes:
        first, *others = view.axes
        columns = list(itertools.product(*(axis.values for axis in others)))
        by_values = {repr(list(point.values)): point.dev_score for point in combinations}
        grid = [[by_values.get(repr([row, *column])) for column in columns] for row in first.values]
        column_names = [" / ".join(map(value_text, column)) or "dev" for column in columns]
        charts.append(
            heat_map(
                [value_text(value) for value in first.values],
                column_names,
                grid,
                f"Mean {_dev_score(view.metric)} over the grid",
                first.name,
                " / ".join(axis.name for axis in others),
            )
        )
    header = (*(axis.name for axis in view.axes), "runs", "dev", "deviation", "test", "sets kept")
    rows = tuple(
        (
            *(value_text(value) for value in point.values),
            f"{point.finished}/{point.runs}",
            figure(point.dev_score),
            figure(point.deviation),
            figure(point.test_score),
            "-" if point.switches_kept is None else f"{point.switches_kept:g}",
        )
        for point in sorted(combinations, key=lambda p: -(p.dev_score or -math.inf))
    )
    table = Table(header, rows, (True,) * len(header))
    return Section(f"Sweep {one_line(view.name, 80)}", tuple(paragraphs), tuple(charts), (table,))


def curves(runs: Sequence[Run], names: dict[str, str]) -> Section:
    """Dev score by epoch and loss by step; the switches and controls too for a single run.

    Runs that different metrics judge have a chart each.
    """
    lines: dict[Metric, list[Line]] = {}
    losses: list[Line] = []
    for i, run in enumerate(runs):
        drawn = lines.setdefault(run.metric, [])
        for arm in run.arms:
            main = arm.name == "main"
            if not main and len(runs) > 1:
                continue  # the controls of many runs would hide the runs; the table has them
            colour = i if len(runs) > 1 else len(drawn)
            label = names.get(run.name, run.label)
            name = label if main else arm.name.replace(":", " ", 1)
            drawn.append(
                Line(
                    one_line(name, 90),
                    tuple((point.epoch, point.score) for point in arm.points),
                    dashed=not main,
                    colour=colour,
                )
            )
            if main and arm.losses and len(runs) <= MAX_LOSS_CURVES:
                losses.append(Line(label, arm.losses, colour=colour))
    marks = _marks(runs[0]) if len(runs) == 1 else ()
    charts = [
        line_chart(drawn, f"{_title(metric)} by epoch", "epoch", _dev_score(metric), marks)
        for metric, drawn in lines.items()
    ]
    charts.append(line_chart(losses, "Training loss by step", "step", "loss", dots=False))
    return Section("Curves", (), tuple(chart for chart in charts if chart))


def _dev_score(metric: Metric | None) -> str:
    return f"dev {metric_name(metric) or 'score'}"


def _title(metric: Metric) -> str:
    return f"Dev {metric_name(metric)}"


def _marks(run: Run) -> tuple[Mark, ...]:
    """A mark for each switch, at the epoch after which its set grew."""
    return tuple(
        Mark(
            run.grown_after.get(record.switch, record.epoch),
            f"set {record.switch} {'kept' if record.kept else 'rolled back'}",
            record.kept,
        )
        for record in run.switches
    )


def parameters(configurations: Sequence[Group]) -> Section:
    """Dev score against the number of trained parameters, where that differs, for each metric."""
    metrics = dict.fromkeys(group.metric for group in configurations)
    charts = [_parameters([g for g in configurations if g.metric == metric]) for metric in metrics]
    drawn = tuple(chart for chart in charts if chart)
    return Section("Parameters", (), drawn) if drawn else NO_SECTION


def _parameters(configurations: Sequence[Group]) -> str:
    if len({group.params_trained for group in configurations}) < 2:
        return ""
    dots = [
        Dot(g.label, g.params_trained, g.dev.mean, g.dev.low, g.dev.high, i)
        for i, g in enumerate(configurations)
    ]
    metric, result = configurations[0].metric, configurations[0].runs[0].result
    return scatter(
        dots,
        f"{_title(metric)} against trained parameters",
        "trained parameters (logarithmic)",
        _dev_score(metric),
        math.nan if result is None else result.base_dev,
    )
