"""The heat map of a sweep: mean dev score by two axes, one panel for each value of the others.

    switch_epochs 0,1   batch_size
    lr            32        64
    0.001      0.5123   > 0.5144*
    0.0017     0.5101     failedx

Each cell has a number and a sign as well as its colour, so that it is legible without colour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.fitting import fitted, padded
from nexus_tui.charts.sweep.heat_cells import HeatCell, legend_words
from nexus_tui.charts.sweep.heat_grid import HeatGrid, Place
from nexus_tui.words.formats import correlation, settings_words, value_text

__all__ = ["heat_layout", "heat_map", "legend"]

MIN_CELL, MAX_CELL = 9, 20
"""Width of a combination: the cursor, seven cells of words, its sign."""
TALL = 3
"""Lines of a combination, if they fit."""
MAX_LABEL = 16
GAP = 1
TITLE, HEAD, BLANK = -1, -2, -3
"""In place of a row: lines of a panel without cells."""


@dataclass(frozen=True, slots=True)
class HeatLayout:
    """The visible part of a grid. `lines` holds (panel, row, line of the row) for each line.

    Instead of a row, a line may hold TITLE, HEAD or BLANK. `label` and `wide` are the widths of row
    labels and of cells, `first` and `columns` the first column and their number. `more_above` and
    `more_below` say that the grid continues beyond the visible part.
    """

    label: int
    wide: int
    first: int
    columns: int
    lines: tuple[tuple[int, int, int], ...]
    more_above: bool
    more_below: bool

    def place_at(self, x: int, y: int) -> Place | None:
        """The place drawn at column `x` and line `y`; None outside the cells."""
        if not 0 <= y < len(self.lines) or x < self.label + GAP:
            return None
        panel, row, _ = self.lines[y]
        column = (x - self.label - GAP) // (self.wide + GAP)
        if row < 0 or column >= self.columns:
            return None
        return Place(panel, row, self.first + column)


def heat_layout(grid: HeatGrid, selected: Place, *, width: int, height: int) -> HeatLayout:
    """The tallest cells with which the grid fits; else the part of it around `selected`."""
    names = [] if grid.rows is None else [grid.rows.name, *map(value_text, grid.rows.values)]
    label = min(max((cell_len(name) for name in names), default=0), MAX_LABEL, width // 3)
    room = width - label - GAP - 1  # the last column holds the arrows for more
    columns = min(grid.width, max(1, room // (MIN_CELL + GAP)))
    wide = max(MIN_CELL, min(MAX_CELL, room // columns - GAP))
    first = min(max(0, selected.column - columns // 2), grid.width - columns)
    for tall, gap in ((TALL, 1), (1, 1), (1, 0)):
        lines = _lines(grid, tall, gap)
        if len(lines) <= height:
            return HeatLayout(label, wide, first, columns, lines, False, False)
    lines = _lines(grid, 1, 1)
    start = next(i for i, line in enumerate(lines) if line[0] == selected.panel)
    heads = sum(1 for panel, row, _ in lines if panel == selected.panel and row in (TITLE, HEAD))
    if heads + grid.height <= height:
        top = min(start, len(lines) - height)
        return HeatLayout(label, wide, first, columns, lines[top : top + height],
                          top > 0, top + height < len(lines))  # fmt: skip
    # The panel alone is too tall: its head stays, its rows scroll.
    heads = min(heads, max(0, height - 1))
    visible = max(1, height - heads)
    top = min(max(0, selected.row - visible // 2), max(0, grid.height - visible))
    rows = tuple((selected.panel, row, 0) for row in range(top, min(grid.height, top + visible)))
    last = selected.panel == len(grid.panels) - 1 and top + visible >= grid.height
    return HeatLayout(label, wide, first, columns, (*lines[start : start + heads], *rows),
                      selected.panel > 0 or top > 0, not last)  # fmt: skip


def _lines(grid: HeatGrid, tall: int, gap: int) -> tuple[tuple[int, int, int], ...]:
    titled = len(grid.panels) > 1 or grid.columns is not None
    lines: list[tuple[int, int, int]] = []
    for panel in range(len(grid.panels)):
        if panel and gap:
            lines.append((panel - 1, BLANK, 0))
        if titled:
            lines.append((panel, TITLE, 0))
        lines.append((panel, HEAD, 0))
        lines += [(panel, row, sub) for row in range(grid.height) for sub in range(tall)]
    return tuple(lines)


def heat_map(
    grid: HeatGrid,
    cells: Mapping[int, HeatCell],
    selected: Place,
    *,
    width: int,
    height: int,
    chart_style: ChartStyle,
) -> list[Text]:
    """At most `height` lines of at most `width` cells."""
    if width < MIN_CELL or height < 1:
        return []
    layout = heat_layout(grid, selected, width=width, height=height)
    span = _span(cells)
    tall = max((sub for _, _, sub in layout.lines), default=0) + 1
    lines = []
    for panel, row, sub in layout.lines:
        if row == BLANK:
            line = Text()
        elif row == TITLE:
            line = _title(grid, panel, layout, width, chart_style)
        elif row == HEAD:
            line = _head(grid, layout, chart_style)
        else:
            line = _row(
                grid, cells, Place(panel, row, 0), sub, tall, selected, layout, span, chart_style
            )
        line.truncate(width, overflow="crop")
        lines.append(line)
    for more, index, sign in ((layout.more_above, 0, chart_style.glyphs.up),
                             (layout.more_below, -1, chart_style.glyphs.down)):  # fmt: skip
        if more and lines:
            line = lines[index]
            line.truncate(width - 1, overflow="crop")
            line.append(" " * (width - 1 - line.cell_len)).append(sign, chart_style.palette.title)
    return lines


def _title(
    grid: HeatGrid, panel: int, layout: HeatLayout, width: int, chart_style: ChartStyle
) -> Text:
    """The panel's settings, and the name of the column axis above the columns."""
    line = Text().append(settings_words(grid.panels[panel]), chart_style.palette.title)
    if grid.columns is not None:
        words = fitted(grid.columns.name, width - 1, chart_style)
        if layout.columns < grid.width:
            last = layout.first + layout.columns
            words += f", columns {layout.first + 1} to {last} of {grid.width}"
        gap = max(layout.label + GAP + 1 - line.cell_len, 3 if line.plain else 0)
        line.append(" " * gap).append(words, chart_style.palette.dim)
    return line


def _head(grid: HeatGrid, layout: HeatLayout, chart_style: ChartStyle) -> Text:
    """The name of the row axis, and the values of the column axis."""
    palette = chart_style.palette
    name = "" if grid.rows is None else fitted(grid.rows.name, layout.label, chart_style)
    line = Text().append(padded(name, layout.label) + " " * GAP, palette.dim)
    for column in range(layout.first, layout.first + layout.columns):
        words = "dev" if grid.columns is None else value_text(grid.columns.values[column])
        words = _centred(fitted(words, layout.wide, chart_style), layout.wide)
        line.append(words + " " * GAP, palette.text)
    return line


def _row(
    grid: HeatGrid,
    cells: Mapping[int, HeatCell],
    start: Place,
    sub: int,
    tall: int,
    selected: Place,
    layout: HeatLayout,
    span: tuple[float, float],
    chart_style: ChartStyle,
) -> Text:
    """Line `sub` of the `tall` lines of a row of cells; the middle one holds the numbers."""
    middle = tall // 2
    label = ""
    if sub == middle and grid.rows is not None:
        label = fitted(value_text(grid.rows.values[start.row]), layout.label, chart_style)
    line = Text().append(padded(label, layout.label) + " " * GAP, chart_style.palette.text)
    for column in range(layout.first, layout.first + layout.columns):
        place = start._replace(column=column)
        cell = cells.get(grid.at(place))
        is_selected = place == selected
        words = ""
        if cell is not None and sub == middle:
            mark = chart_style.glyphs.selected if is_selected else " "
            words = f"{mark}{cell.words}{cell.sign}"
        elif cell is not None and sub == middle + 1:
            words = cell.under
        style = chart_style.palette.dim if cell is None else _style(cell, span, chart_style)
        if is_selected:
            style = chart_style.palette.control + chart_style.palette.selected
        if cell_len(words) > layout.wide:
            words = ""  # a cut number would mislead
        line.append(_centred(words, layout.wide), style)
        line.append(" " * GAP)
    return line


def _style(cell: HeatCell, span: tuple[float, float], chart_style: ChartStyle) -> Style:
    """The colour of the value between the lowest and the highest; without a value, of the state."""
    palette = chart_style.palette
    if cell.value is not None:
        if not math.isfinite(cell.value):
            return palette.bad
        bold = Style(bold=cell.state == "best")
        if not palette.heat:
            return (palette.title if cell.state == "best" else palette.text) + bold
        low, high = span
        share = (cell.value - low) / (high - low) if high > low else 1.0
        return palette.heat[round(share * (len(palette.heat) - 1))] + bold
    return {
        "live": palette.run,
        "failed": palette.bad,
        "stopped": palette.warn,
    }.get(cell.state, palette.dim)


def _span(cells: Mapping[int, HeatCell]) -> tuple[float, float]:
    values = [c.value for c in cells.values() if c.value is not None and math.isfinite(c.value)]
    return min(values, default=0.0), max(values, default=0.0)


def legend(cells: Mapping[int, HeatCell], *, width: int, chart_style: ChartStyle) -> Text:
    """The colour scale and the signs that occur, as far as they fit."""
    palette = chart_style.palette
    low, high = _span(cells)
    line = Text()
    if high > low and palette.heat:
        line.append(f"{correlation(low)} ", palette.dim)
        for style in palette.heat:
            line.append("  ", style)
        line.append(f" {correlation(high)}", palette.dim)
    for words, style in legend_words(cells.values(), chart_style):
        gap = "   " if line.plain else ""
        if line.cell_len + cell_len(gap + words) > width:
            break
        line.append(gap).append(words, style)
    return line


def _centred(text: str, width: int) -> str:
    free = max(0, width - cell_len(text))
    return " " * (free // 2) + text + " " * (free - free // 2)
