"""Which part of the live screen has how many rows."""

from __future__ import annotations

from textual.screen import Screen

from nexus_engine.events import RunFinished
from nexus_engine.runs.run_view import RunView
from nexus_tui.app.live.log_view import LogView
from nexus_tui.app.live.parts import GuardView, RunHead
from nexus_tui.app.live.switch_line import SwitchLine
from nexus_tui.charts.run.row_shares import split_rows

__all__ = ["share_out"]

SIDE_BY_SIDE = 110, 34
"""Columns and rows from which on the screen has two columns."""


def share_out(screen: Screen[None], view: RunView) -> None:
    """Give each part of the live `screen` its rows, by the window's size and `view`."""
    width, height = screen.size.width - 2, screen.size.height - 2
    wide, tall = SIDE_BY_SIDE
    columns = screen.size.width >= wide and screen.size.height >= tall
    screen.set_class(columns, "-columns")
    head = screen.query_one(RunHead)
    rows = len(head.lines_for(max(1, width)))
    head.styles.height = rows
    ended = isinstance(view.ended, RunFinished)
    room = split_rows(height, rows, ended=ended)
    charts, line = screen.query_one("#charts"), screen.query_one(SwitchLine)
    guard, log = screen.query_one(GuardView), screen.query_one(LogView)
    screen.query_one("#main").styles.margin = (1 if columns else room.gap, 0, 0, 0)
    charts.styles.height = "1fr" if columns else room.charts
    line.display = columns or room.timeline > 0
    line.styles.margin = (0 if columns else room.timeline_gap, 0, 0, 0)
    guard.display = columns or room.guard > 0
    guard.styles.height = 4 if columns else 1
    guard.styles.margin = (0, 0, 1, 0) if columns else (room.guard_gap, 0, 0, 0)
    log.display = columns or room.log > 0
    log.styles.height = "1fr" if columns else room.log
    log.styles.margin = (0 if columns or room.guard else room.guard_gap, 0, 0, 0)
