"""The list of sweeps as lines: the header, a line for each sweep, and help without any."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from nexus_engine.errors import one_line
from nexus_engine.metric_words import metric_name
from nexus_engine.sweeps.following import SweepSummary
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.fitting import fitted, padded
from nexus_tui.charts.run.rows import age
from nexus_tui.words.formats import correlation, settings_words

__all__ = [
    "no_sweeps", "state_sign", "sweep_columns", "sweep_header", "sweep_line", "sweep_state_words",
]  # fmt: skip

GAP = 2
MIN_NAME, MAX_NAME = 14, 40
"""Cells for names."""
MIN_SETTINGS = 18
"""The settings of the best combination are shown if they get this many cells."""


class _Column(NamedTuple):
    title: str
    width: int
    right: bool
    words: Callable[[SweepSummary, float], str]


_STATE = _Column("state", 10, False, lambda sweep, _: sweep.state)
_DONE = _Column("runs", 7, True, lambda sweep, _: f"{sweep.done}/{sweep.runs}")
_DEV = _Column("best", 6, True, lambda sweep, _: correlation(sweep.best_dev))
_WHEN = _Column("age", 6, True, lambda sweep, now: age(now - sweep.created_unix_s))
_METRIC = _Column("metric", 8, False, lambda sweep, _: metric_name(sweep.metric))
"""Shown only if a sweep of the list is judged by another metric than Spearman."""
_WITH = "with"
_ORDER = ("state", "runs", "metric", "best", _WITH, "age")


class SweepColumns(NamedTuple):
    """The columns that fit: the width of the names, and the columns after them."""

    name: int
    rest: tuple[_Column, ...]


def sweep_columns(sweeps: Iterable[SweepSummary], width: int) -> SweepColumns:
    """The columns for `width` cells: the most important that fit; only the settings are cut."""
    sweeps = tuple(sweeps)
    names = [cell_len(one_line(sweep.name, 100)) for sweep in sweeps]
    others = any(sweep.metric not in (None, "spearman") for sweep in sweeps)
    leading = (_STATE, _DONE, *([_METRIC] if others else []), _DEV)
    needed = sum(GAP + column.width for column in leading)
    longest = max(names, default=0)
    name = max(MIN_NAME, min(longest, MAX_NAME, width - needed))
    left = width - name
    chosen: list[_Column] = []
    for column in (*leading, _WHEN):
        if GAP + column.width > left:
            break
        left -= GAP + column.width
        chosen.append(column)
    if left >= GAP + MIN_SETTINGS and _WHEN in chosen:
        chosen.append(_Column(_WITH, left - GAP, False, lambda sweep, _: _settings(sweep)))
    return SweepColumns(name, tuple(sorted(chosen, key=lambda column: _ORDER.index(column.title))))


def _settings(sweep: SweepSummary) -> str:
    return settings_words(sweep.best_values)


def sweep_header(columns: SweepColumns, chart_style: ChartStyle) -> Text:
    """The titles of the columns."""
    parts = ["sweep".ljust(columns.name)]
    for column in columns.rest:
        title = column.title
        parts.append(title.rjust(column.width) if column.right else title.ljust(column.width))
    return Text((" " * GAP).join(parts), style=chart_style.palette.dim)


def sweep_line(
    sweep: SweepSummary, columns: SweepColumns, chart_style: ChartStyle, *, now: float
) -> Text:
    """The line of a sweep."""
    palette = chart_style.palette
    line = Text(padded(fitted(sweep.name, columns.name, chart_style), columns.name), palette.text)
    for column in columns.rest:
        line.append(" " * GAP)
        words, style = column.words(sweep, now), palette.dim
        if column is _STATE:
            sign, style = state_sign(sweep.state, chart_style)
            words = f"{sign} {words}"
        elif column is _DEV:
            style = palette.text
        elif column is _DONE and sweep.failed:
            style = palette.warn
        words = fitted(words, column.width, chart_style)
        line.append(padded(words, column.width, right=column.right), style)
    return line


def state_sign(state: str, chart_style: ChartStyle) -> tuple[str, Style]:
    """The sign and style of a sweep's state."""
    glyphs, palette = chart_style.glyphs, chart_style.palette
    return {
        "live": (glyphs.live, palette.good),
        "failed": (glyphs.broken, palette.bad),
        "stopped": (glyphs.trial, palette.warn),
    }.get(state, (" ", palette.dim))


def sweep_state_words(sweep: SweepSummary) -> str:
    """The state and the progress in words."""
    words = f"{sweep.state}: {sweep.done} of {sweep.runs} runs done"
    return f"{words}, {sweep.failed} failed" if sweep.failed else words


ABOUT = (
    "A sweep trains every combination of a grid of settings, with every",
    "seed, and shows which is best. Start one in a shell:",
)
SHORT = ("A sweep trains every combination of", "some settings. Start one in a shell:")
COMMANDS = (
    ("nexus sweep", "twelve combinations on the demo set"),
    ("nexus sweep --grid grid.toml", "your own grid"),
)


def no_sweeps(*, width: int, height: int, chart_style: ChartStyle) -> list[Text]:
    """At most `height` lines: what a sweep is, and the commands that start one."""
    palette = chart_style.palette
    lines = [Text("No sweeps yet", palette.title), Text()]
    lines += [Text(words, palette.text) for words in (ABOUT if width >= 70 else SHORT)]
    lines.append(Text())
    for command, words in COMMANDS:
        line = Text().append(f"  {command:<30}", palette.title)
        lines.append(line.append(words, palette.dim) if width >= 70 else line)
    lines += [Text(), Text("It appears here, and you can follow it while it runs.", palette.dim)]
    lines[-1].truncate(width, overflow="crop")
    left = " " * max(1, (width - max(line.cell_len for line in lines)) // 2)
    above = max(0, (height - len(lines)) // 3)
    return [Text()] * above + [Text(left).append_text(line) for line in lines]
