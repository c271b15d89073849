"""How many rows each part of the live screen gets."""

from __future__ import annotations

from textual.screen import Screen

from nexus_engine.events import RunFinished
from nexus_engine.runs.run_view import RunView
from nexus_tui.app.live.log_view import LogView
from nexus_tui.app.live.parts import GuardView, RunHead
from nexus_tui.app.live.switch_line import SwitchLine
from nexus_tui.charts.run.row_shares import split_rows

__all__ = ["lay_out_rows"]

MIN_WIDTH, MIN_HEIGHT = 110, 34
"""Columns and rows from which the live screen puts its parts side by side."""


def lay_out_rows(screen: Screen[None], view: RunView) -> None:
    """Give each part of the live `screen` its rows, by the window's size and by `view`."""
    width, height = screen.size.width - 2, screen.size.height - 2
    columns = screen.size.width >= MIN_WIDTH and screen.size.height >= MIN_HEIGHT
    screen.set_class(columns, "-columns")
    head = screen.query_one(RunHead)
    rows = len(head.lines_for(max(1, width)))
    head.styles.height = rows
    share = split_rows(height, rows, ended=isinstance(view.ended, RunFinished))
    charts, line = screen.query_one("#charts"), screen.query_one(SwitchLine)
    guard, log = screen.query_one(GuardView), screen.query_one(LogView)
    screen.query_one("#main").styles.margin = (1 if columns else share.gap, 0, 0, 0)
    charts.styles.height = "1fr" if columns else share.charts
    line.display = columns or share.timeline > 0
    line.styles.margin = (0 if columns else share.timeline_gap, 0, 0, 0)
    guard.display = columns or share.guard > 0
    guard.styles.height = 4 if columns else 1
    guard.styles.margin = (0, 0, 1, 0) if columns else (share.guard_gap, 0, 0, 0)
    log.display = columns or share.log > 0
    log.styles.height = "1fr" if columns else share.log
    log.styles.margin = (0 if columns or share.guard else share.guard_gap, 0, 0, 0)
