"""The report as a document: which sections it has, and which runs they show."""

from __future__ import annotations

from collections.abc import Sequence

from nexus_engine.errors import one_line
from nexus_engine.reports import chart_sections, ranking_sections, table_sections
from nexus_engine.reports.figures import Group, groups
from nexus_engine.reports.gather import Gathered, Run
from nexus_engine.reports.guard_section import guard
from nexus_engine.reports.parts import Document

__all__ = ["document"]

MAX_CURVES = 12
"""Runs whose curves share a chart; further runs are in the tables alone."""


def document(gathered: Gathered) -> Document:
    """The report on the runs and sweeps of `gathered`."""
    configurations = groups(gathered.runs)
    shown = _shown(gathered.runs, configurations)
    names = _curve_names(configurations)
    sections = [
        table_sections.results(gathered, configurations),
        ranking_sections.ranking(gathered.runs),
        ranking_sections.vectors(gathered.runs),
        *(chart_sections.sweep(view) for view in gathered.sweeps),
        chart_sections.curves(shown, names),
        table_sections.switches(gathered.runs),
        chart_sections.parameters(configurations),
        table_sections.controls(gathered.runs),
        guard(gathered.runs, shown, names),
        table_sections.environment(gathered.runs),
    ]
    sources = [view.name for view in gathered.sweeps] or [run.name for run in gathered.runs]
    title = one_line(sources[0], 80) if len(sources) == 1 else f"{len(sources)} runs and sweeps"
    return Document(title, tuple(s for s in sections if s.paragraphs or s.charts or s.tables))


def _shown(runs: Sequence[Run], configurations: Sequence[Group]) -> tuple[Run, ...]:
    """The runs whose curves are drawn: those of the best configurations first."""
    ordered = [run for group in configurations for run in group.runs]
    ordered += [run for run in runs if run.result is None]
    return tuple(ordered[:MAX_CURVES])


def _curve_names(configurations: Sequence[Group]) -> dict[str, str]:
    """The names of curves by run: the configuration, and the seed if it has several runs."""
    if sum(len(group.runs) for group in configurations) < 2:
        return {}
    names = {}
    for group in configurations:
        for run in group.runs:
            seed = f", seed {run.settings.get('seed', '?')}" if len(group.runs) > 1 else ""
            names[run.name] = one_line(group.label + seed, 90)
    return names
