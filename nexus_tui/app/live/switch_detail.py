"""One switch in full: what it grew, its cost, its effect, and why its set was kept or not."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from nexus_engine.metric_words import metric_name
from nexus_engine.runs.run_view import RunView, SwitchView
from nexus_tui.app.kit.closing import ClosesOnce
from nexus_tui.app.live.switch_line import SwitchLine
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.run.timeline import sign_of
from nexus_tui.words.formats import aligned, correlation, count, gain

__all__ = ["SwitchDetail"]


def detail_lines(view: RunView, switch: SwitchView, chart_style: ChartStyle) -> list[Text]:
    """The lines of the panel: a table, then why the set was kept or rolled back."""
    palette = chart_style.palette
    started = view.started
    score = f"dev {metric_name(view.metric)}"
    sign, style = sign_of(switch, chart_style)
    state = "on trial" if switch.state == "trial" else switch.state
    where = "before any training" if switch.epoch == 0 else f"after epoch {switch.epoch}"
    rows = [
        ("grown", where),
        ("on", f"{started.sites} layers of the encoder" if started is not None else "-"),
        ("units", f"{count(switch.units)} new, {count(switch.units_total)} in all"),
        ("parameters", f"{count(switch.params_added)} added"),
        ("before", f"{correlation(switch.before)} {score}, the best until then"),
        ("after", _after(switch)),
    ]
    lines = [Text.assemble((f"{sign} switch {switch.switch}, {state}", style)), Text()]
    lines += [Text(line, palette.text) for line in aligned(rows, (False, False))]
    return [*lines, Text(), Text(_why(switch, score), palette.text)]


def _after(switch: SwitchView) -> str:
    if switch.after is None:
        return "not known yet: its trial ends with this phase"
    change = gain(switch.after - switch.before)
    return f"{correlation(switch.after)}, the best of its phase ({change})"


def _why(switch: SwitchView, score: str) -> str:
    """Why the set was kept or rolled back, or on what that depends."""
    if switch.after is None:
        return f"It is kept if {score} rises above its value before the switch."
    if switch.state == "kept":
        return f"Kept: with it, {score} rose above its value before the switch."
    if switch.after > switch.before:
        return "Rolled back: by you, or because the rise was below the minimum gain (--min-gain)."
    return f"Rolled back: {score} did not rise with it. The weights are those from before."


class SwitchDetail(ClosesOnce, ModalScreen[None]):
    """A panel over the live screen; left and right switch between the switches."""

    DEFAULT_CSS = """
    SwitchDetail { align: center middle; background: $background 60%; }
    SwitchDetail > Vertical {
        width: 66; max-width: 98%; height: auto; max-height: 94%;
        background: $panel; padding: 1 2; border: round $primary;
    }
    SwitchDetail Static { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "dismiss", "Close", id="switch.close"),
        Binding("left,h", "move(-1)", "Previous", id="switch.before"),
        Binding("right,l", "move(1)", "Next", id="switch.next"),
    ]

    def __init__(self, *, line: SwitchLine) -> None:
        super().__init__()
        self._line = line

    def compose(self) -> ComposeResult:
        """An empty panel; `on_mount` fills it."""
        with Vertical():
            yield Static()

    def on_mount(self) -> None:
        """Fill the panel."""
        self._show()

    def _show(self) -> None:
        switch = self._line.chosen
        if switch is None:
            self.dismiss()
            return
        lines = detail_lines(self._line.view, switch, self._line.chart_style)
        if len(self._line.arm.switches) > 1:
            lines += [Text(), Text("left and right: the other switches", style="dim")]
        self.query_one(Static).update(Text("\n").join(lines))

    def action_move(self, step: int) -> None:
        """Show the next switch (1) or the one before (-1)."""
        self._line.choose(step)
        self._show()
