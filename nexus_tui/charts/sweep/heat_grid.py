"""The layout of a sweep's combinations as panels of rows and columns.

The two axes with the most values become rows and columns. Each combination of the other axes is a
panel.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from nexus_engine.sweeps.grid import Axis

__all__ = ["HeatGrid", "Place", "heat_grid"]


class Place(NamedTuple):
    """A cell: its panel, row and column, from 0."""

    panel: int
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class HeatGrid:
    """`rows` and `columns` are None if fewer axes vary. `panels` holds the settings of each panel.

    `points` holds the number of the combination at each panel, row and column.
    """

    rows: Axis | None
    columns: Axis | None
    panels: tuple[tuple[tuple[str, Any], ...], ...]
    points: tuple[tuple[tuple[int, ...], ...], ...]

    @property
    def height(self) -> int:
        """Rows of a panel."""
        return len(self.points[0])

    @property
    def width(self) -> int:
        """Columns of a panel."""
        return len(self.points[0][0])

    def at(self, place: Place) -> int:
        """The number of the combination at `place`."""
        return self.points[place.panel][place.row][place.column]

    def place(self, point: int) -> Place:
        """The place of a combination; the first place if `point` is not in the grid."""
        for panel, rows in enumerate(self.points):
            for row, cells in enumerate(rows):
                if point in cells:
                    return Place(panel, row, cells.index(point))
        return Place(0, 0, 0)

    def moved(self, place: Place, right: int, down: int) -> Place:
        """The place moved by cells within the grid; below a panel comes the next one."""
        line = place.panel * self.height + place.row + down
        line = min(max(line, 0), len(self.panels) * self.height - 1)
        column = min(max(place.column + right, 0), self.width - 1)
        return Place(line // self.height, line % self.height, column)


def heat_grid(axes: Sequence[Axis]) -> HeatGrid:
    """The grid of `axes`. Combinations are numbered with the last axis changing fastest."""
    varied = [place for place, axis in enumerate(axes) if len(axis.values) > 1]
    # Most values first; the sort is stable, so ties keep the order of the axes.
    varied.sort(key=lambda place: -len(axes[place].values))
    row, column = (varied[0] if varied else None), (varied[1] if len(varied) > 1 else None)
    others = sorted(varied[2:])
    steps = [1] * len(axes)
    for place in range(len(axes) - 2, -1, -1):
        steps[place] = steps[place + 1] * len(axes[place + 1].values)

    def offsets(place: int | None) -> list[int]:
        """What each value of an axis adds to a combination's number."""
        return [0] if place is None else [i * steps[place] for i in range(len(axes[place].values))]

    combinations = list(itertools.product(*(offsets(place) for place in others)))
    settings = itertools.product(*(axes[place].values for place in others))
    names = [axes[place].name for place in others]
    return HeatGrid(
        rows=None if row is None else axes[row],
        columns=None if column is None else axes[column],
        panels=tuple(tuple(zip(names, values, strict=True)) for values in settings),
        points=tuple(
            tuple(tuple(sum(start) + r + c for c in offsets(column)) for r in offsets(row))
            for start in combinations
        ),
    )
