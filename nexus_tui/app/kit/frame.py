"""The frame of every screen: the bar at the top, the keys at the bottom, news of the open run."""

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

__all__ = ["NexusScreen", "TopBar"]

MAIN_TABS = (("1", "Runs", "runs"), ("2", "Live", "live"), ("3", "Playground", "playground"),
          ("4", "Compare", "compare"))  # fmt: skip
"""Key, title and mode of each main screen."""
TEACH_TABS = (("6", "Teach", "teach"), ("Esc", "Runs", "runs"))
"""Those shown on Teach, where digits are answers and lead to no other screen."""
MIN_BODY_COLUMNS = 40
"""On fewer columns, a screen shows only the bar with the state of the open run."""
MIN_TITLES_COLUMNS = 60
"""On fewer columns, the bar shows only the title of the current main screen."""


def _tabs(mode: str) -> tuple[tuple[str, str, str], ...]:
    return TEACH_TABS if mode == "teach" else MAIN_TABS


def _run_words(run: OpenRun | None, room: int) -> str:
    """The open run in a few words, at most `room` cells wide; empty where none fit."""
    if run is None:
        return ""
    view, arm = run.view, run.view.arm()
    state = "paused" if view.paused else view.state
    best = f"best {correlation(arm.best_score)}"
    epoch = f"epoch {arm.epoch}/{arm.epochs}" if arm.epochs and view.ended is None else ""
    for parts in (
        (run.source.name, state, epoch, best),
        (state, epoch, best),
        (state, best),
        (state,),
    ):
        text = " ".join(part for part in parts if part)
        if len(text) <= room:
            return shown(text, room)
    return ""


class TopBar(Canvas):
    """Name, main screens, and the state of the open run; a click goes to a main screen."""

    DEFAULT_CSS = "TopBar { height: 1; dock: top; background: $panel; }"

    def picture(self, width: int, height: int) -> Sequence[Text]:  # noqa: ARG002
        """One line."""
        run = host_of(self).open_run
        palette = self.chart_style.palette
        line = Text(" NEXUS ", style=palette.title)
        if width >= MIN_BODY_COLUMNS:
            for key, title, mode in _tabs(self.app.current_mode):
                current = mode == self.app.current_mode
                line.append(f" {key} ", palette.dim)
                title = title if width >= MIN_TITLES_COLUMNS or current else ""
                line.append(title, palette.title if current else None)
        room = width - line.cell_len - 4
        words = _run_words(run, room)
        if words and run is not None:
            line.append(" " * (room - len(words) + 1))
            live = run.view.ended is None
            style = palette.warn if run.view.paused else palette.good
            line.append(self.chart_style.glyphs.live if live else " ", style)
            line.append(f" {words} ", palette.text)
        return [line]

    def on_click(self, event: textual_events.Click) -> None:
        """Go to the main screen that was clicked."""
        column = len(" NEXUS ")
        for key, title, mode in _tabs(self.app.current_mode):
            titled = self.size.width >= MIN_TITLES_COLUMNS or mode == self.app.current_mode
            end = column + len(key) + 2 + (len(title) if titled else 0)
            if column <= event.x < end:
                if mode == self.app.current_mode == "runs":
                    self.app.call_later(host_of(self).action_runs)
                else:
                    self.app.switch_mode(mode)
                return
            column = end


class NexusScreen(ClosesOnce, Screen[None]):
    """A screen with the frame. Override `body`, and `run_changed` to show new events."""

    DEFAULT_CSS = """
    NexusScreen { layout: vertical; background: $background; }
    NexusScreen > #body { height: 1fr; }
    NexusScreen.-narrow > #body { display: none; }
    NexusScreen.-narrow > KeyBar { display: none; }
    """
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - declared so by Textual
        (0, "-narrow"), (MIN_BODY_COLUMNS, "-small"), (80, "-normal"), (110, "-wide"),
    ]  # fmt: skip
    VERTICAL_BREAKPOINTS = [(0, "-short"), (22, "-medium"), (34, "-tall")]  # noqa: RUF012

    def compose(self) -> ComposeResult:
        """The bar, the body, the keys."""
        yield TopBar()
        with Vertical(id="body"):
            yield from self.body()
        yield KeyBar()

    def body(self) -> ComposeResult:
        """The widgets between the bar and the keys."""
        raise NotImplementedError

    @property
    def nexus(self) -> Host:
        """The app, as far as this screen may use it."""
        return host_of(self)

    @property
    def chart_style(self) -> ChartStyle:
        """Glyphs and styles of the current theme."""
        return self.nexus.chart_style

    def run_changed(self, events: Sequence[Event]) -> None:
        """Show `events`, which are already folded into `nexus.open_run.view`.

        The app's timer calls this on the front screen, at most ten times a second. It is also
        called without events when the screen comes to the front or another run is opened.
        """

    def on_screen_resume(self) -> None:
        """Show the current state on coming to the front."""
        if not self.is_mounted:  # it has no widgets yet and draws everything once it has
            return
        self.query_one(TopBar).redraw()
        self.run_changed(())
