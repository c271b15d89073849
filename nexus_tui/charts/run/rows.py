"""The list of runs as lines: the columns that fit, the header, a line for each run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rich.style import Style
from rich.text import Text

from nexus_engine.errors import one_line
from nexus_engine.metric_words import metric_name
from nexus_engine.runs.summary import RunSummary
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.fitting import fitted, padded
from nexus_tui.charts.kit.meter import spark
from nexus_tui.words.formats import correlation, count, gain

__all__ = [
    "Columns",
    "age",
    "columns_for",
    "header_line",
    "letter",
    "matches",
    "run_line",
]

CURVE_CELLS = 8
LEAD = 3
"""Cells before the name: the cursor, and the letter of a marked run."""
GAP = 2
MIN_NAME, MAX_NAME = 14, 44
"""Cells for names."""


def age(seconds: float) -> str:
    """An age in days, hours or minutes, the largest that fits; "now" below a minute."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return "now"


def state_words(run: RunSummary) -> str:
    """The state; for a live run with its progress."""
    if run.state == "live" and run.fraction is not None:
        return f"live {run.fraction * 100:.0f}%"
    return run.state


def kept_words(run: RunSummary) -> str:
    """Switches kept and tried, as in 2/3."""
    if run.switches_kept is None:
        return "-"
    return f"{run.switches_kept}/{run.switches_tried or 0}"


class _Column(NamedTuple):
    """A column after the name: title, width, alignment, and the words for a run at a time."""

    title: str
    width: int
    right: bool
    words: Callable[[RunSummary, float], str]


_STATE = _Column("state", 13, False, lambda run, _: state_words(run))
_DEV = _Column("dev", 6, True, lambda run, _: correlation(run.best_dev))
_GAIN = _Column("gain", 7, True, lambda run, _: gain(run.gain))
_KEPT = _Column("kept", 5, True, lambda run, _: kept_words(run))
_ADDED = _Column("added", 7, True, lambda run, _: count(run.params_added))
_WHEN = _Column("age", 6, True, lambda run, now: age(now - run.started_unix_s))
_TUNE = _Column("regime", 9, False, lambda run, _: run.tune)
_CURVE = _Column("by epoch", CURVE_CELLS, False, lambda _, __: "")

_METRIC = _Column("metric", 8, False, lambda run, _: metric_name(run.metric))
"""Shown only if a run of the list is judged by another metric than Spearman."""

_ORDER = ("state", "data", "regime", "metric", "dev", "gain", "kept", "added", "by epoch", "age")
"""From left to right."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that fit: the width of the names, and the columns after them."""

    name: int
    rest: tuple[_Column, ...]


def columns_for(runs: Iterable[RunSummary], width: int) -> Columns:
    """The columns for `width` cells: the most important that fit uncut, then the longest names."""
    longest, data_width = MIN_NAME, 6
    leading = [_STATE, _DEV]
    for run in runs:
        longest = max(longest, len(run.name))
        data_width = max(data_width, len(run.data))
        if run.metric != "spearman" and _METRIC not in leading:
            leading.insert(1, _METRIC)
    data = _Column("data", min(data_width, 20), False, lambda run, _: run.data)
    # Long names give way to the columns that every screen should have.
    needed = LEAD + sum(GAP + column.width for column in leading)
    name = max(MIN_NAME, min(longest, MAX_NAME, width - needed))
    left = width - LEAD - name
    chosen: list[_Column] = []
    for column in (*leading, _GAIN, _WHEN, _KEPT, _CURVE, data, _TUNE, _ADDED):
        if GAP + column.width > left:
            break
        left -= GAP + column.width
        chosen.append(column)
    return Columns(name, tuple(sorted(chosen, key=lambda column: _ORDER.index(column.title))))


def header_line(columns: Columns, chart_style: ChartStyle) -> Text:
    """The titles of the columns."""
    parts = [" " * LEAD + "run".ljust(columns.name)]
    for column in columns.rest:
        title = column.title
        parts.append(title.rjust(column.width) if column.right else title.ljust(column.width))
    return Text((" " * GAP).join(parts), style=chart_style.palette.dim)


def run_line(
    run: RunSummary, columns: Columns, chart_style: ChartStyle, *, now: float, letter: str = "",
    here: bool = False,
) -> Text:  # fmt: skip
    """The line of a run; `letter` marks it for comparison, `here` means the cursor is on it."""
    palette, glyphs = chart_style.palette, chart_style.glyphs
    line = Text().append(glyphs.selected if here else " ", palette.title)
    line.append((letter or " ").ljust(2), palette.control)
    line.append(padded(fitted(run.name, columns.name, chart_style), columns.name), palette.text)
    for column in columns.rest:
        line.append(" " * GAP)
        if column is _STATE:
            sign, style = _sign(run.state, chart_style)
            line.append(padded(f"{sign} {column.words(run, now)}", column.width), style)
        elif column is _CURVE:
            curve = spark(run.curve, CURVE_CELLS, chart_style)
            line.append(padded(curve, column.width), palette.run)
        else:
            words = fitted(column.words(run, now), column.width, chart_style)
            line.append(
                padded(words, column.width, right=column.right), _style(column, run, chart_style)
            )
    return line


def _style(column: _Column, run: RunSummary, chart_style: ChartStyle) -> Style:
    palette = chart_style.palette
    if column is _GAIN and run.gain is not None:
        return palette.good if run.gain > 0 else palette.warn
    return palette.text if column in (_DEV, _KEPT) else palette.dim


def _sign(state: str, chart_style: ChartStyle) -> tuple[str, Style]:
    glyphs, palette = chart_style.glyphs, chart_style.palette
    return {
        "live": (glyphs.live, palette.good),
        "failed": (glyphs.broken, palette.bad),
        "stopped": (glyphs.trial, palette.warn),
        "interrupted": (glyphs.warning, palette.warn),
    }.get(state, (" ", palette.dim))


def matches(run: RunSummary, query: str) -> bool:
    """Whether every word of `query` is in the run's name, data, regime or state."""
    text = one_line(f"{run.name} {run.data} {run.tune} {run.state}").casefold()
    return all(word in text for word in query.casefold().split())


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def letter(marked: Sequence[Path], path: Path) -> str:
    """The letter of a run among those marked for comparison; empty if it is not marked."""
    place = marked.index(path) if path in marked else -1
    return LETTERS[place % len(LETTERS)] if place >= 0 else ""
