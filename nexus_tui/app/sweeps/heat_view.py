"""The heat map of a sweep, in which a cell can be selected and opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from nexus_engine.sweeps.view import SweepView, points
from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.charts.sweep.heat_cells import HeatCell, heat_cells
from nexus_tui.charts.sweep.heat_grid import HeatGrid, Place, heat_grid
from nexus_tui.charts.sweep.heat_map import heat_layout, heat_map

__all__ = ["HeatView"]


class HeatView(Canvas, can_focus=True):
    """Call `show` with a sweep; `point` is the number of the selected combination."""

    DEFAULT_CSS = "HeatView { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", key_display="enter", id="sweep.open"),
        Binding("up,k", "move(0, -1)", "Up", show=False, id="sweep.up"),
        Binding("down,j", "move(0, 1)", "Down", show=False, id="sweep.down"),
        Binding("left,h", "move(-1, 0)", "Left", show=False, id="sweep.left"),
        Binding("right,l", "move(1, 0)", "Right", show=False, id="sweep.right"),
        Binding("pageup", "panel(-1)", "Previous panel", show=False, id="sweep.panel_before"),
        Binding("pagedown", "panel(1)", "Next panel", show=False, id="sweep.panel_next"),
    ]

    class Moved(Message):
        """Another cell is selected."""

    class Opened(Message):
        """The user pressed Enter, or clicked on the selected cell."""

    def __init__(self) -> None:
        super().__init__()
        self._grid: HeatGrid = heat_grid(())
        self._place = Place(0, 0, 0)
        self._view: SweepView | None = None
        self.cells: Mapping[int, HeatCell] = {}

    @property
    def point(self) -> int:
        """The number of the selected combination."""
        return self._grid.at(self._place)

    def show(self, view: SweepView) -> None:
        """Draw this sweep; the selected cell stays."""
        if self._view is None or self._view.axes != view.axes:
            self._grid = heat_grid(view.axes)
            self._place = Place(0, 0, 0)
        self._view = view
        self._make_cells()
        self.redraw()

    def _make_cells(self) -> None:
        view = self._view
        if view is not None:
            self.cells = heat_cells(points(view.cells), view.cells, self.chart_style)

    def choose(self, point: int) -> None:
        """Select the combination with this number."""
        self._select(self._grid.place(point))

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """The heat map."""
        if self._view is None:
            return []
        return heat_map(
            self._grid,
            self.cells,
            self._place,
            width=width,
            height=height,
            chart_style=self.chart_style,
        )

    def notify_style_update(self) -> None:
        """Make the cells anew in a new theme."""
        super().notify_style_update()
        self._make_cells()

    def _select(self, place: Place) -> None:
        if place != self._place:
            self._place = place
            self.redraw()
            self.post_message(self.Moved())

    def action_move(self, right: int, down: int) -> None:
        """Move the selection by cells."""
        self._select(self._grid.moved(self._place, right, down))

    def action_panel(self, step: int) -> None:
        """Move to the same cell of another panel; with one panel, to its first or last row."""
        self.action_move(0, step * self._grid.height)

    def action_open(self) -> None:
        """Ask for the cell's run."""
        self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        """Select the cell that was clicked; a second click opens it."""
        layout = heat_layout(
            self._grid, self._place, width=self.size.width, height=self.size.height
        )
        place = layout.place_at(event.x, event.y)
        if place is None:
            return
        if place == self._place and event.chain > 1:
            self.action_open()
        self._select(place)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move the selection down."""
        event.stop()
        self.action_move(0, 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move the selection up."""
        event.stop()
        self.action_move(0, -1)
