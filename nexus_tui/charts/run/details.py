"""One run in words, beside its curve: the pane under the list of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from nexus_engine.errors import one_line
from nexus_engine.metric_words import RANKING_NAMES, metric_name
from nexus_engine.runs.summary import RunRecord, RunSummary
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.fitting import fitted
from nexus_tui.charts.run.dev_curves import DevCurve, dev_curves
from nexus_tui.words.formats import correlation, count, duration, epochs_words, gain, megabytes
from nexus_tui.words.lines import resume_command
from nexus_tui.words.metrics import lead_name

__all__ = ["plan_words", "run_details"]

WORDS_WIDTH = 72
"""Cells for the words; the curve takes the rest."""
GAP = 3


def run_details(
    record: RunRecord, *, width: int, height: int, chart_style: ChartStyle
) -> list[Text]:
    """`height` lines: the run's settings and results, and the dev score by epoch to the right."""
    palette = chart_style.palette
    words_width = min(WORDS_WIDTH, width)
    lines = [Text().append(fitted(record.summary.name, words_width, chart_style), palette.title)]
    for label, words in _facts(record):
        line = Text().append(label.ljust(11), palette.dim)
        line.append(fitted(words, words_width - 11, chart_style), palette.text)
        lines.append(line)
    lines = [*lines, *(Text() for _ in range(height))][:height]
    room = width - WORDS_WIDTH - GAP - 1
    if room >= 24 and height >= 4 and record.points:
        curve = DevCurve(
            record.points, chart_style.glyphs.dot, palette.run, record.summary.best_epoch
        )
        base = record.summary.base_dev
        title = Text(f"dev {metric_name(record.summary.metric)} by epoch", style=palette.dim)
        drawn = [
            title,
            *dev_curves([curve], width=room, height=height - 1, chart_style=chart_style, base=base),
        ]
        for line, part in zip(lines, drawn, strict=False):
            line.append(" " * (WORDS_WIDTH + GAP - line.cell_len))
            line.append_text(part)
    return lines


def plan_words(settings: Mapping[str, Any]) -> str:
    """The most important settings in one line."""
    place = settings.get("place")
    sites = ",".join(map(str, place)) if isinstance(place, list | tuple) else "-"
    if settings.get("tune") != "dendrites":
        sites = "adapter"
    length = epochs_words(settings.get("epochs"), settings.get("epochs_per_pass"))
    rate = settings.get("lr", "?")
    if isinstance(rate, float):
        rate = f"{rate:.3g}"  # a rate fitted to a small data set has many digits
    return (
        f"{length}, batch {settings.get('batch_size', '?')}, "
        f"lr {rate}, seed {settings.get('seed', '?')}, on {sites}"
    )


def _facts(record: RunRecord) -> list[tuple[str, str]]:
    run, last = record.summary, record.last
    facts = [("what", f"{run.data}, {run.tune}; {plan_words(record.settings)}")]
    if run.best_dev is not None:
        words = f"{lead_name(run.metric)}{correlation(run.base_dev)} to {correlation(run.best_dev)}"
        words += f" ({gain(run.gain)}), best epoch {run.best_epoch or 0}"
        facts.append(("dev", words))
    if run.state == "finished":
        facts += _result_facts(run, last)
        facts += _general_facts(record.settings, last)
    if run.switches_kept is not None:
        words = f"{run.switches_kept} of {run.switches_tried} switches kept, "
        facts.append(("dendrites", f"{words}{count(run.params_added)} parameters added"))
    if run.state == "failed":
        facts.append(("failed", one_line(run.message)))
    if run.state in ("failed", "stopped", "interrupted"):
        facts.append(("go on", f"u, or: {resume_command(run.name, str(run.path))}"))
    if run.state == "live":
        facts.append(("live", f"in process {one_line(record.facts.get('pid', '?'), 20)}"))
    return facts


def _result_facts(run: RunSummary, result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Facts from the last event of a finished run."""
    facts: list[tuple[str, str]] = []
    base = _float(result.get(f"base_test_{run.metric}"))
    test = _float(result.get(f"test_{run.metric}"))
    if test is not None and base is not None:
        words = f"{correlation(base)} to {correlation(test)} ({gain(test - base)})"
        facts.append(("test", lead_name(run.metric) + words))
    figures = [
        f"{RANKING_NAMES[name]} {correlation(value)}"
        for name in ("mrr_at_10", "recall_at_1", "recall_at_10")
        if (value := _float(result.get(f"test_{name}"))) is not None
    ]
    if figures:
        facts.append(("ranking", ", ".join(figures)))
    guard = _float(result.get("guard_spearman"))
    if guard is not None:
        facts.append(("guard", f"{correlation(guard)} agreement with base on general pairs"))
    controls = result.get("controls")
    for control in controls if isinstance(controls, list) else []:
        low, high = _float(control.get("gain_low")), _float(control.get("gain_high"))
        over = gain(_float(control.get(f"gain_dev_{run.metric}")))
        words = f"{over} over {one_line(control.get('name', '?'), 30)} on dev"
        facts.append(("control", f"{words} (95 % {gain(low)} to {gain(high)})"))
    seconds, pace = _float(result.get("total_seconds")), _float(result.get("pairs_per_second"))
    peak = _float(result.get("peak_rss_mb"))
    if seconds is not None and pace is not None and peak is not None:
        words = f"{duration(seconds)} in all, {pace:.0f} pairs/s, {megabytes(peak)} at the peak"
        facts.append(("cost", words))
    return facts


def _general_facts(settings: Mapping[str, Any], result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """General quality where the run may rehearse, on the half of the guard that steers nothing."""
    mode = settings.get("keep_general", "off")
    base = _float(result.get("base_guard_apart_spearman"))
    tuned = _float(result.get("guard_apart_spearman"))
    if mode == "off" or base is None or tuned is None:
        return []
    words = f"{correlation(base)} to {correlation(tuned)} ({gain(tuned - base)})"
    return [("general", f"{words} by scores; keep_general {one_line(mode, 20)}")]


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
