"""The timeline of switches, in which one can be selected and opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from nexus_engine.runs.run_view import ArmView, RunView, SwitchView
from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.charts.run.timeline import TIMELINE_ROWS, detail, summary, switch_columns, timeline

__all__ = ["SwitchLine"]


class SwitchLine(Canvas, can_focus=True):
    """Set `view`, then call `redraw`. `chosen` is the selected switch, if any."""

    DEFAULT_CSS = f"SwitchLine {{ height: {TIMELINE_ROWS + 1}; }}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Details", show=False, id="switch.open"),
    ]

    class Opened(Message):
        """The user wants the selected switch in full."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.view = RunView()
        self._number: int | None = None

    @property
    def arm(self) -> ArmView:
        """The main arm; controls have no timeline of their own."""
        return self.view.arm("main")

    @property
    def chosen(self) -> SwitchView | None:
        """The selected switch."""
        return next((s for s in self.arm.switches if s.switch == self._number), None)

    def choose(self, step: int) -> None:
        """Select the next switch (1) or the one before (-1); the newest if none is selected."""
        switches = self.arm.switches
        if not switches:
            return
        numbers = [switch.switch for switch in switches]
        if self._number not in numbers:
            self._number = numbers[-1]
        else:
            index = numbers.index(self._number) + step
            self._number = numbers[min(len(numbers) - 1, max(0, index))]
        self.redraw()

    def forget(self) -> None:
        """Select no switch; called when another run is shown."""
        self._number = None

    def picture(self, width: int, height: int) -> Sequence[Text]:  # noqa: ARG002
        """The title and the timeline."""
        palette, arm, chosen = self.chart_style.palette, self.arm, self.chosen
        title = Text.assemble(("dendrites", palette.title if self.has_focus else palette.text))
        words = summary(arm) if chosen is None else detail(chosen, self.chart_style)
        title.append(f"  {words}", palette.dim if chosen is None else palette.text)
        planned = self.view.started.epochs if self.view.started is not None else 0
        return [
            title,
            *timeline(
                arm,
                width=width,
                chart_style=self.chart_style,
                selected=self._number,
                planned=planned,
            ),
        ]

    def on_focus(self) -> None:
        """Show the focus in the title."""
        self.redraw()

    def on_blur(self) -> None:
        """Remove the focus from the title."""
        self.redraw()

    def action_open(self) -> None:
        """Ask for the details."""
        self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        """Select the switch nearest to the click; if it is selected already, open it."""
        columns = switch_columns(self.arm, self.size.width)
        if not columns:
            return
        nearest = min(columns, key=lambda number: abs(columns[number] - event.x))
        if nearest == self._number:
            self.action_open()
        self._number = nearest
        self.redraw()
