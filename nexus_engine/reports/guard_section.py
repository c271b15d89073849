"""The section of a report on the guard: what training did to general similarities."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nexus_engine.reports.charts import Line, line_chart
from nexus_engine.reports.gather import Run
from nexus_engine.reports.parts import NO_SECTION, Section, Table, figure, signed

__all__ = ["guard"]

GUARD = (
    "The guard holds general pairs that are never trained on. Agreement is the rank "
    "correlation of their similarities with those of the base model (1: unchanged). The other "
    "columns are the rank correlation of each model's similarities with the pairs' own scores."
)
REHEARSAL = (
    "Rehearsal trains on general sentences beside the data, to keep what the base model knows. "
    "With auto, its weight rises while one half of the guard scores below the base model, and "
    "falls while it does not. The test half neither trains nor steers: its Spearman shows what "
    "rehearsal keeps."
)


def guard(runs: Sequence[Run], shown: Sequence[Run], names: dict[str, str]) -> Section:
    """How far training changed the similarities of general pairs, and what rehearsal did."""
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
    charts = [line_chart(lines, "Guard Spearman by epoch", "epoch", "agreement with base")]
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
    header = ("run", "agreement", "base by scores", "tuned by scores")
    tables = [Table(header, rows, (False, True, True, True))] if rows else []
    paragraphs = [GUARD]
    rehearsing = [run for run in runs if _rehearses(run)]
    if rehearsing:
        paragraphs.append(REHEARSAL)
        charts.append(_weights(shown, names))
        tables += _rehearsal(rehearsing)
    if not rows and not any(charts):
        return NO_SECTION
    drawn = tuple(chart for chart in charts if chart)
    return Section("Forgetting guard", tuple(paragraphs), drawn, tuple(tables))


def _rehearses(run: Run) -> bool:
    return bool(run.settings.get("keep_general", "off") != "off")


def _weights(shown: Sequence[Run], names: dict[str, str]) -> str:
    """The weight of the rehearsal by step; empty if it stays at zero."""
    lines = [
        Line(names.get(run.name, run.label), arm.keep_weights, colour=i)
        for i, run in enumerate(shown)
        for arm in run.arms
        if arm.name == "main" and any(weight for _, weight in arm.keep_weights)
    ]
    return line_chart(lines, "Weight of the rehearsal by step", "step", "weight", dots=False)


def _rehearsal(runs: Sequence[Run]) -> list[Table]:
    rows = []
    for run in runs:
        result = run.result
        if result is None:
            continue
        base, tuned = result.base_guard_apart_spearman, result.guard_apart_spearman
        change = "-" if base is None or tuned is None else signed(tuned - base)
        rows.append(
            (
                run.label,
                str(run.settings.get("keep_general")),
                *_weight_words(run),
                figure(base),
                figure(tuned),
                change,
            )
        )
    if not rows:
        return []
    header = (
        *("run", "--keep-general", "highest weight", "last weight"),
        *("base, test half", "tuned, test half", "change"),
    )
    return [Table(header, tuple(rows), (False, False, True, True, True, True, True))]


def _weight_words(run: Run) -> tuple[str, str]:
    """The highest and the last weight that the main arm's evaluations and checks tell."""
    for arm in run.arms:
        if arm.name == "main":
            weights = [point.keep_weight for point in arm.points]
            weights += [weight for _, weight in arm.keep_weights]
            last = arm.keep_weights[-1][1] if arm.keep_weights else weights[-1]
            finite = [weight for weight in weights if math.isfinite(weight)]
            return f"{max(finite, default=math.nan):g}", f"{last:g}"
    return "-", "-"
