"""The guard in words: how far training has changed general similarities."""

from __future__ import annotations

import math

from rich.text import Text

from nexus_engine.runs.run_view import ArmView, EpochPoint
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.meter import spark
from nexus_tui.words.formats import correlation, gain

__all__ = ["guard_lines", "meaning", "rehearsal_words"]

UNTOUCHED, SLIGHT, LOST = 0.005, 0.02, 0.05
"""Losses of Spearman on the guard pairs at which the words change; they decide nothing else.

On 300 pairs, a difference below about 0.005 means nothing."""


def meaning(base: EpochPoint, now: EpochPoint) -> tuple[str, str]:
    """What the guard's figures mean, and the severity: good, warn or bad."""
    change = now.guard_scored_spearman - base.guard_scored_spearman
    if not math.isfinite(change) or not math.isfinite(now.guard_spearman):
        return "unknown: not a number", "bad"
    if now.epoch == 0:
        return "the base model itself", "good"
    if change > UNTOUCHED:
        return "better on general pairs than before", "good"
    if change >= -UNTOUCHED:
        return "general knowledge is kept", "good"
    if change >= -SLIGHT:
        return "a little general knowledge is lost", "good"
    if change >= -LOST:
        return "it forgets general language", "warn"
    return "much general knowledge is lost", "bad"


def rehearsal_words(arm: ArmView, *, lead: str = ", ") -> str:
    """The weight of the rehearsal after `lead`; empty while it is zero."""
    return f"{lead}rehearsal {arm.keep_weight:.2g}" if arm.keep_weight > 0 else ""


def guard_lines(arm: ArmView, *, width: int, height: int, chart_style: ChartStyle) -> list[Text]:
    """One line if `height` is 1, else a heading and a line for each figure."""
    palette, arrow = chart_style.palette, chart_style.glyphs.arrow
    if not arm.points:
        words = "measured with the base model and after each epoch"
        if height == 1:
            return [Text.assemble(("guard ", palette.text), (f" {words}", palette.dim))]
        return [Text("guard against forgetting", palette.text), Text(words, palette.dim)][:height]
    first, now = arm.points[0], arm.points[-1]
    words, severity = meaning(first, now)
    style = {"good": palette.good, "warn": palette.warn, "bad": palette.bad}[severity]
    agreement = correlation(now.guard_spearman)
    scored = correlation(now.guard_scored_spearman)
    base = correlation(first.guard_scored_spearman)
    change = gain(now.guard_scored_spearman - first.guard_scored_spearman)
    rehearsal = rehearsal_words(arm)
    if height == 1:
        choices = [
            (f"agreement {agreement}, general {scored} (base {base}){rehearsal}", words),
            (f"agreement {agreement}, general {scored}{rehearsal}", words),
            (f"agreement {agreement}, general {change}{rehearsal}", ""),
            (f"general {change}{rehearsal}", ""),
            (f"general {change}", ""),
        ]
        room = width - len("guard  ")
        for figures, verdict in choices:
            if len(figures) + (len(verdict) + 2 if verdict else 0) <= room:
                line = Text.assemble(("guard ", palette.text), (f" {figures}", palette.dim))
                return [line.append(f"  {verdict}" if verdict else "", style)]
        return [Text("guard", palette.text)]
    history = spark([point.guard_scored_spearman for point in arm.points], 16, chart_style)
    rows = [
        Text.assemble(("guard against forgetting", palette.text), (rehearsal, palette.warn)),
        Text.assemble((f"agreement with base  {agreement}", palette.dim)),
        Text.assemble(
            (f"general pairs        {base} {arrow} {scored}", palette.dim),
            (f"  {history}", palette.run),
        ),
        Text(words, style),
    ]
    return rows if height >= len(rows) else [rows[0], *rows[2:], rows[1]][:height]
