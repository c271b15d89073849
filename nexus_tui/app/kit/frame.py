"""What every screen has: the bar at the top, the keys at the bottom, and the poll of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual import events as textual_events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen

from nexus_engine.events import Event
from nexus_tui.app.kit.canvas import Canvas
from nexus_tui.app.kit.closing import ClosesOnce
from nexus_tui.app.kit.host import Host, host_of
from nexus_tui.app.kit.key_bar import KeyBar
from nexus_tui.words.formats import correlation, shown

if TYPE_CHECKING:
    from nexus_tui.app.open_run import OpenRun
    from nexus_tui.charts.kit.chart_style import ChartStyle

__all__ = ["PLACES", "NexusScreen", "TopBar", "run_words"]

PLACES = (("1", "Runs", "runs"), ("2", "Live", "live"), ("3", "Playground", "playground"),
          ("4", "Compare", "compare"))  # fmt: skip
"""Key, title and mode of the main screens."""
NARROW = 40
"""Below this many columns a screen is one line of state."""


def run_words(run: OpenRun | None, room: int) -> str:
    """The open run in a few words, at most `room` wide; empty where none fit."""
    if run is None:
        return ""
    view, arm = run.view, run.view.arm()
    state = "paused" if view.paused else view.state
    best = f"best {correlation(arm.best_spearman)}"
    place = f"epoch {arm.epoch}/{arm.epochs}" if arm.epochs and view.ended is None else ""
    for words in (
        (run.source.name, state, place, best),
        (state, place, best),
        (state, best),
        (state,),
    ):
        text = " ".join(word for word in words if word)
        if len(text) <= room:
            return shown(text, room)
    return ""


class TopBar(Canvas):
    """Name, places, and the state of the open run; a click goes to a place."""

    DEFAULT_CSS = "TopBar { height: 1; dock: top; background: $panel; }"

    def picture(self, width: int, height: int) -> Sequence[Text]:  # noqa: ARG002
        """One line."""
        run = host_of(self).open_run
        palette = self.chart_style.palette
        line = Text(" NEXUS ", style=palette.title)
        if width >= NARROW:
            for key, title, mode in PLACES:
                here = mode == self.app.current_mode
                line.append(f" {key} ", palette.dim)
                line.append(title if width >= 60 or here else "", palette.title if here else None)
        room = width - line.cell_len - 4
        words = run_words(run, room)
        if words and run is not None:
            line.append(" " * (room - len(words) + 1))
            live = run.view.ended is None
            style = palette.warn if run.view.paused else palette.good
            line.append(self.chart_style.glyphs.live if live else " ", style)
            line.append(f" {words} ", palette.text)
        return [line]

    def on_click(self, event: textual_events.Click) -> None:
        """Go to the place that was clicked."""
        column = len(" NEXUS ")
        for _, title, mode in PLACES:
            here = mode == self.app.current_mode
            wide = len(title) if self.size.width >= 60 or here else 0
            if column <= event.x < column + 3 + wide:
                if mode == self.app.current_mode == "runs":
                    self.app.call_later(host_of(self).action_runs)
                else:
                    self.app.switch_mode(mode)
                return
            column += 3 + wide


class NexusScreen(ClosesOnce, Screen[None]):
    """A main screen. Override `body`, and `run_changed` to show what a poll brought."""

    DEFAULT_CSS = """
    NexusScreen { layout: vertical; background: $background; }
    NexusScreen > #body { height: 1fr; }
    NexusScreen.-narrow > #body { display: none; }
    NexusScreen.-narrow > KeyBar { display: none; }
    """
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - declared so by Textual
        (0, "-narrow"), (NARROW, "-small"), (80, "-normal"), (110, "-wide"),
    ]  # fmt: skip
    VERTICAL_BREAKPOINTS = [(0, "-short"), (22, "-medium"), (34, "-tall")]  # noqa: RUF012

    def compose(self) -> ComposeResult:
        """The bar, the body, the keys."""
        yield TopBar()
        with Vertical(id="body"):
            yield from self.body()
        yield KeyBar()

    def body(self) -> ComposeResult:
        """What stands between the bar and the keys."""
        raise NotImplementedError

    @property
    def nexus(self) -> Host:
        """What this screen may use of the app."""
        return host_of(self)

    @property
    def chart_style(self) -> ChartStyle:
        """Signs and styles of the present theme."""
        return self.nexus.chart_style

    def run_changed(self, events: Sequence[Event]) -> None:
        """The open run has these new events, already folded into `nexus.open_run.view`.

        Called on the screen in front, by the app's timer, at most ten times a second; and once
        without events when the screen comes to the front or another run was opened.
        """

    def on_screen_resume(self) -> None:
        """Come to the front: show the present."""
        if not self.is_mounted:  # its widgets are not there; it draws all when they are
            return
        self.query_one(TopBar).redraw()
        self.run_changed(())
