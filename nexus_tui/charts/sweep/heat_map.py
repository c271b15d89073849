"""The heat map of a sweep: mean dev Spearman by two axes, the others as panels below each other.

    switch_epochs 0,1   batch_size
    lr            32        64
    0.001      0.5123   > 0.5144*
    0.0017     0.5101     failedx

Each cell has its number and a sign beside its colour, so that it reads without any.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.fitting import fitted
from nexus_tui.charts.sweep.heat_cells import HeatCell, legend_words
from nexus_tui.charts.sweep.heat_grid import HeatGrid, Place
from nexus_tui.words.formats import correlation, settings_words, value_text

__all__ = ["heat_layout", "heat_map", "legend"]

MIN_CELL, MAX_CELL = 9, 20
"""Cells across for one combination: the cursor's sign, seven of words, its own sign."""
TALL = 3
"""Lines of a combination where there is room."""
LABEL_MOST = 16
GAP = 1
TITLE, HEAD, BLANK = -1, -2, -3
"""Lines of a panel that hold no cells."""


@dataclass(frozen=True, slots=True)
class HeatLayout:
    """How a grid lies in its room: `lines` holds panel, row (or TITLE, HEAD, BLANK), line in it.

    `more_above` and `more_below` say that the grid goes on beyond what is seen.
    """

    label: int
    wide: int
    first: int
    columns: int
    lines: tuple[tuple[int, int, int], ...]
    more_above: bool
    more_below: bool

    def place_at(self, x: int, y: int) -> Place | None:
        """The cell that is drawn there."""
        if not 0 <= y < len(self.lines) or x < self.label + GAP:
            return None
        panel, row, _ = self.lines[y]
        column = (x - self.label - GAP) // (self.wide + GAP)
        if row < 0 or column >= self.columns:
            return None
        return Place(panel, row, self.first + column)


def heat_layout(grid: HeatGrid, selected: Place, *, width: int, height: int) -> HeatLayout:
    """The largest cells that show the whole grid; else a part of it that holds `selected`."""
    names = [] if grid.rows is None else [grid.rows.name, *map(value_text, grid.rows.values)]
    label = min(max((cell_len(name) for name in names), default=0), LABEL_MOST, width // 3)
    room = width - label - GAP - 1  # the last column is for the signs of more
    columns = min(grid.width, max(1, room // (MIN_CELL + GAP)))
    wide = max(MIN_CELL, min(MAX_CELL, room // columns - GAP))
    first = min(max(0, selected.column - columns // 2), grid.width - columns)
    for tall, gap in ((TALL, 1), (1, 1), (1, 0)):
        every = _lines(grid, tall, gap)
        if len(every) <= height:
            return HeatLayout(label, wide, first, columns, every, False, False)
    every = _lines(grid, 1, 1)
    start = next(i for i, line in enumerate(every) if line[0] == selected.panel)
    heads = sum(1 for panel, row, _ in every if panel == selected.panel and row in (TITLE, HEAD))
    if heads + grid.height <= height:
        top = min(start, len(every) - height)
        return HeatLayout(label, wide, first, columns, every[top : top + height],
                          top > 0, top + height < len(every))  # fmt: skip
    # One panel is more than there is room for: its head stays, its rows scroll.
    heads = min(heads, max(0, height - 1))
    fit = max(1, height - heads)
    top = min(max(0, selected.row - fit // 2), max(0, grid.height - fit))
    rows = tuple((selected.panel, row, 0) for row in range(top, min(grid.height, top + fit)))
    last = selected.panel == len(grid.panels) - 1 and top + fit >= grid.height
    return HeatLayout(label, wide, first, columns, (*every[start : start + heads], *rows),
                      selected.panel > 0 or top > 0, not last)  # fmt: skip


def _lines(grid: HeatGrid, tall: int, gap: int) -> tuple[tuple[int, int, int], ...]:
    titled = len(grid.panels) > 1 or grid.columns is not None
    found: list[tuple[int, int, int]] = []
    for panel in range(len(grid.panels)):
        if panel and gap:
            found.append((panel - 1, BLANK, 0))
        if titled:
            found.append((panel, TITLE, 0))
        found.append((panel, HEAD, 0))
        found += [(panel, row, sub) for row in range(grid.height) for sub in range(tall)]
    return tuple(found)


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
    found = []
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
        found.append(line)
    for wanted, at, sign in ((layout.more_above, 0, chart_style.glyphs.up),
                             (layout.more_below, -1, chart_style.glyphs.down)):  # fmt: skip
        if wanted and found:
            line = found[at]
            line.truncate(width - 1, overflow="crop")
            line.append(" " * (width - 1 - line.cell_len)).append(sign, chart_style.palette.title)
    return found


def _title(
    grid: HeatGrid, panel: int, layout: HeatLayout, width: int, chart_style: ChartStyle
) -> Text:
    """The panel's settings, and over the columns the name of their axis."""
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
    """The name of the rows' axis, and the values of the columns'."""
    palette = chart_style.palette
    name = "" if grid.rows is None else fitted(grid.rows.name, layout.label, chart_style)
    line = Text().append(_padded(name, layout.label) + " " * GAP, palette.dim)
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
    """One line of a row of cells; with `tall` lines, the number is on the middle one."""
    middle = tall // 2
    label = ""
    if sub == middle and grid.rows is not None:
        label = fitted(value_text(grid.rows.values[start.row]), layout.label, chart_style)
    line = Text().append(_padded(label, layout.label) + " " * GAP, chart_style.palette.text)
    for column in range(layout.first, layout.first + layout.columns):
        place = start._replace(column=column)
        cell = cells.get(grid.at(place))
        here = place == selected
        words = ""
        if cell is not None and sub == middle:
            mark = chart_style.glyphs.selected if here else " "
            words = f"{mark}{cell.words}{cell.sign}"
        elif cell is not None and sub == middle + 1:
            words = cell.under
        style = chart_style.palette.dim if cell is None else _style(cell, span, chart_style)
        if here:
            style = chart_style.palette.control + chart_style.palette.selected
        if cell_len(words) > layout.wide:
            words = ""  # never half of a number
        line.append(_centred(words, layout.wide), style)
        line.append(" " * GAP)
    return line


def _style(cell: HeatCell, span: tuple[float, float], chart_style: ChartStyle) -> Style:
    """The colour of the number's place between the lowest and the highest; else of the state."""
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
    """The scale of the colours and the signs that occur, as far as there is room."""
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


def _padded(text: str, width: int) -> str:
    return text + " " * max(0, width - cell_len(text))


def _centred(text: str, width: int) -> str:
    free = max(0, width - cell_len(text))
    return " " * (free // 2) + text + " " * (free - free // 2)
