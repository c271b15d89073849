"""The content of a heat map's cells: a number and a sign, legible without colour."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.style import Style

from nexus_engine.sweeps.view import CellView, PointView, best_point
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.words.formats import correlation

__all__ = ["HeatCell", "heat_cells", "legend_words"]

STATES = ("live", "failed", "stopped", "waiting")
"""States of unfinished runs; a cell shows the first of these among its runs."""


class HeatCell(NamedTuple):
    """`words` take at most seven cells, `sign` one; `under` goes on the line below if there is one.

    `value` is the mean dev score, which sets the colour; None while no run has finished.
    """

    words: str
    sign: str
    under: str
    value: float | None
    state: str


def heat_cells(
    points: Sequence[PointView], runs: Sequence[CellView], chart_style: ChartStyle
) -> dict[int, HeatCell]:
    """The cell of each combination, by the combination's number."""
    best = best_point(points)
    grouped: dict[int, list[CellView]] = {}
    for run in runs:
        grouped.setdefault(run.cell.point, []).append(run)
    return {
        point.point: _cell(point, grouped.get(point.point, []), point is best, chart_style)
        for point in points
    }


def _cell(
    point: PointView, runs: Sequence[CellView], best: bool, chart_style: ChartStyle
) -> HeatCell:
    states = {run.state for run in runs}
    state = next((state for state in STATES if state in states), "finished")
    sign = _sign(state, chart_style)
    if point.dev_score is not None:
        if best:
            state, sign = "best", chart_style.glyphs.best
        under = f"{point.finished} of {point.runs}"
        if point.finished == point.runs:
            under = "" if point.deviation is None else f"sd {point.deviation:.4f}"
        return HeatCell(correlation(point.dev_score), sign, under, point.dev_score, state)
    if state == "live":
        live = [run for run in runs if run.state == "live"]
        scores = [run.best_dev for run in live]
        finite = [value for value in scores if value is not None and math.isfinite(value)]
        words = correlation(max(finite)) if finite else "begun"
        progress = [f"{run.epoch}/{run.epochs}" for run in live if run.epochs]
        return HeatCell(words, sign, f"epoch {progress[0]}" if progress else "", None, state)
    if state == "waiting":
        return HeatCell(sign, " ", "", None, state)
    return HeatCell(state, sign, "", None, state)


def _sign(state: str, chart_style: ChartStyle) -> str:
    glyphs = chart_style.glyphs
    return {
        "best": glyphs.best,
        "live": glyphs.ellipsis,
        "failed": glyphs.broken,
        "stopped": glyphs.trial,
        "waiting": glyphs.dot,
    }.get(state, " ")


def legend_words(cells: Iterable[HeatCell], chart_style: ChartStyle) -> list[tuple[str, Style]]:
    """The signs that occur in `cells`, each with its meaning."""
    palette = chart_style.palette
    meanings = {
        "best": ("best", palette.title),
        "live": ("running, so far", palette.run),
        "failed": ("failed", palette.bad),
        "stopped": ("stopped", palette.warn),
        "waiting": ("waiting", palette.dim),
    }
    states = {cell.state for cell in cells}
    return [
        (f"{_sign(state, chart_style)} {words}", style)
        for state, (words, style) in meanings.items()
        if state in states
    ]
