"""The state of a run on one screen, as `nexus attach --once` prints it."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text

from nexus_engine.errors import one_line
from nexus_engine.events import RunFinished
from nexus_engine.runs.run_view import RunView
from nexus_tui.charts.kit.chart_style import ASCII, UNICODE, ChartStyle, Palette
from nexus_tui.charts.run.guard import guard_lines
from nexus_tui.charts.run.heading import Head, head_lines
from nexus_tui.charts.run.metrics import METRICS, chart
from nexus_tui.charts.run.notes import note_lines
from nexus_tui.charts.run.result import result_picture
from nexus_tui.charts.run.timeline import summary, timeline

__all__ = ["state_lines", "terminal_chart_style"]

CHART_ROWS = 7
GAP = 2
MAX_WIDTH = 120
MAX_NOTES = 3
COMMAND = "nexus train --resume"
"""A line with this command is not cut, so that you can copy it."""


def terminal_chart_style(*, ascii_only: bool) -> ChartStyle:
    """A style in the terminal's own named colours."""
    palette = Palette(
        text=Style(),
        dim=Style(dim=True),
        title=Style(bold=True),
        run=Style(color="cyan"),
        base=Style(color="magenta"),
        control=Style(color="yellow"),
        good=Style(color="green"),
        warn=Style(color="yellow"),
        bad=Style(color="red", bold=True),
        axis=Style(dim=True),
        selected=Style(reverse=True),
    )
    return ChartStyle(glyphs=ASCII if ascii_only else UNICODE, palette=palette)


def state_lines(view: RunView, head: Head, width: int, chart_style: ChartStyle) -> list[Text]:
    """Head or result, charts, switches, guard and latest notes.

    Lines are at most `width` cells wide, and never above 120.
    """
    width = max(20, min(width, MAX_WIDTH))
    main = view.arm("main")
    lines = result_picture(view, head, width, chart_style) or head_lines(
        view, head, width, chart_style
    )
    lines += note_lines(view, width, chart_style)
    if view.started is None:
        return lines
    lines += [Text(), *_charts(view, width, chart_style), Text()]
    lines.append(Text.assemble(("dendrites  ", chart_style.palette.text), summary(main)))
    lines += timeline(main, width=width, chart_style=chart_style, planned=view.started.epochs)
    if not isinstance(view.ended, RunFinished):
        lines += [Text(), *guard_lines(main, width=width, height=1, chart_style=chart_style)]
    for note in view.notes[-MAX_NOTES:]:
        lines.append(Text(one_line(note, width), chart_style.palette.dim))
    for line in lines:
        if COMMAND not in line.plain:
            line.truncate(width, overflow="crop")
    return lines


def _charts(view: RunView, width: int, chart_style: ChartStyle) -> list[Text]:
    """Loss and dev score side by side."""
    half = (width - GAP) // 2
    left, right = (
        chart(metric, view, width=half, height=CHART_ROWS, chart_style=chart_style)
        for metric in METRICS[:2]
    )
    lines = []
    for first, second in zip(left, right, strict=True):
        first.pad_right(max(0, half + GAP - first.cell_len))
        lines.append(first.append_text(second))
    return lines
