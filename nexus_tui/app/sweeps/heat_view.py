"""The heat map of a sweep, in which a cell can be picked out and opened."""

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
    """`show` a sweep; `point` is the number of the combination that is picked out."""

    DEFAULT_CSS = "HeatView { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", key_display="enter", id="sweep.open"),
        Binding("up,k", "move(0, -1)", "Up", show=False, id="sweep.up"),
        Binding("down,j", "move(0, 1)", "Down", show=False, id="sweep.down"),
        Binding("left,h", "move(-1, 0)", "Left", show=False, id="sweep.left"),
        Binding("right,l", "move(1, 0)", "Right", show=False, id="sweep.right"),
        Binding("pageup", "panel(-1)", "Panel before", show=False, id="sweep.panel_before"),
        Binding("pagedown", "panel(1)", "Next panel", show=False, id="sweep.panel_next"),
    ]

    class Moved(Message):
        """Another cell is picked out."""

    class Opened(Message):
        """Enter or a click on the cell that is picked out already."""

    def __init__(self) -> None:
        super().__init__()
        self._grid: HeatGrid = heat_grid(())
        self._place = Place(0, 0, 0)
        self._view: SweepView | None = None
        self.cells: Mapping[int, HeatCell] = {}

    @property
    def point(self) -> int:
        """The combination that is picked out."""
        return self._grid.at(self._place)

    def show(self, view: SweepView) -> None:
        """Draw this sweep; the cell that is picked out stays."""
        if self._view is None or self._view.axes != view.axes:
            self._grid = heat_grid(view.axes)
            self._place = Place(0, 0, 0)
        self._view = view
        self._count()
        self.redraw()

    def _count(self) -> None:
        view = self._view
        if view is not None:
            self.cells = heat_cells(points(view.cells), view.cells, self.chart_style)

    def choose(self, point: int) -> None:
        """Pick out the combination of this number."""
        self._go(self._grid.place(point))

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
        """A new theme."""
        super().notify_style_update()
        self._count()

    def _go(self, place: Place) -> None:
        if place != self._place:
            self._place = place
            self.redraw()
            self.post_message(self.Moved())

    def action_move(self, right: int, down: int) -> None:
        """So many cells on."""
        self._go(self._grid.moved(self._place, right, down))

    def action_panel(self, step: int) -> None:
        """To the same cell of another panel, or of one panel to its ends."""
        self.action_move(0, step * self._grid.height)

    def action_open(self) -> None:
        """Ask for the cell's run."""
        self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        """To the cell that was clicked; a second click opens it."""
        layout = heat_layout(
            self._grid, self._place, width=self.size.width, height=self.size.height
        )
        place = layout.place_at(event.x, event.y)
        if place is None:
            return
        if place == self._place and event.chain > 1:
            self.action_open()
        self._go(place)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel moves the cell."""
        event.stop()
        self.action_move(0, 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel moves the cell."""
        event.stop()
        self.action_move(0, -1)
