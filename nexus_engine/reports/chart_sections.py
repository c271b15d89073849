"""The sections of a report that hold charts: sweeps, curves, parameters, the forgetting guard."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from nexus_engine.errors import one_line
from nexus_engine.reports.charts import Dot, Line, Mark, heat_map, line_chart, scatter
from nexus_engine.reports.figures import Group, value_text
from nexus_engine.reports.gather import Run
from nexus_engine.reports.parts import NO_SECTION, Section, Table, figure
from nexus_engine.sweeps.view import SweepView, best_point, points

__all__ = ["curves", "guard", "parameters", "sweep"]

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
        paragraphs.append(f"Best: {', '.join(parts)}, dev {figure(best.dev_spearman)}.")
    charts = []
    if view.axes:
        first, *others = view.axes
        columns = list(itertools.product(*(axis.values for axis in others)))
        by_values = {repr(list(point.values)): point.dev_spearman for point in combinations}
        grid = [[by_values.get(repr([row, *column])) for column in columns] for row in first.values]
        column_names = [" / ".join(map(value_text, column)) or "dev" for column in columns]
        charts.append(
            heat_map(
                [value_text(value) for value in first.values],
                column_names,
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
        for point in sorted(combinations, key=lambda p: -(p.dev_spearman or -math.inf))
    )
    table = Table(header, rows, (True,) * len(header))
    return Section(f"Sweep {one_line(view.name, 80)}", tuple(paragraphs), tuple(charts), (table,))


def curves(runs: Sequence[Run], names: dict[str, str]) -> Section:
    """Dev Spearman by epoch and loss by step; the switches and controls too for a single run."""
    lines: list[Line] = []
    losses: list[Line] = []
    for i, run in enumerate(runs):
        for arm in run.arms:
            main = arm.name == "main"
            if not main and len(runs) > 1:
                continue  # the controls of many runs would hide the runs; the table has them
            colour = i if len(runs) > 1 else len(lines)
            label = names.get(run.name, run.label)
            name = label if main else arm.name.replace(":", " ", 1)
            lines.append(
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
        line_chart(lines, "Dev Spearman by epoch", "epoch", "dev Spearman", marks),
        line_chart(losses, "Training loss by step", "step", "loss", dots=False),
    ]
    return Section("Curves", (), tuple(chart for chart in charts if chart))


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
    """Dev Spearman against the number of trained parameters, where that differs."""
    if len({group.params_trained for group in configurations}) < 2:
        return NO_SECTION
    dots = [
        Dot(g.label, g.params_trained, g.dev.mean, g.dev.low, g.dev.high, i)
        for i, g in enumerate(configurations)
    ]
    result = configurations[0].runs[0].result
    base = math.nan if result is None else result.base_dev
    chart = scatter(
        dots,
        "Dev Spearman against trained parameters",
        "trained parameters (logarithmic)",
        "dev Spearman",
        base,
    )
    return Section("Parameters", (), (chart,)) if chart else NO_SECTION


def guard(runs: Sequence[Run], shown: Sequence[Run], names: dict[str, str]) -> Section:
    """How far training changed the similarities of general pairs."""
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
    paragraph = (
        "The guard holds general pairs that are never trained on. Agreement is the rank "
        "correlation of their similarities with those of the base model (1: unchanged). The other "
        "columns are the rank correlation of each model's similarities with the pairs' own scores."
    )
    table = Table(
        ("run", "agreement", "base by scores", "tuned by scores"), rows, (False, True, True, True)
    )
    if not rows and not chart:
        return NO_SECTION
    return Section(
        "Forgetting guard", (paragraph,), (chart,) if chart else (), (table,) if rows else ()
    )
