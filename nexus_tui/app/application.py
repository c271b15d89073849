"""The Textual application: its screens, the open run, and the run that this process trains."""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ScreenStackError, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.css.query import NoMatches
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.worker import WorkerFailed

from nexus_engine.errors import NexusError, one_line
from nexus_engine.events import TERMINAL_EVENTS, Event
from nexus_tui.app.command_palette import ClosingPalette, palette_commands
from nexus_tui.app.endings import STOP_CODES, Ending
from nexus_tui.app.export.work import ExportWork
from nexus_tui.app.kit.ascii_style import ASCII_CSS, PlainBar, plain_key
from nexus_tui.app.kit.declared_keys import unknown_ids
from nexus_tui.app.kit.dialogs import Choice, Question
from nexus_tui.app.kit.frame import NexusScreen, TopBar
from nexus_tui.app.kit.host import Begun, Probe
from nexus_tui.app.kit.label_book import LabelBook
from nexus_tui.app.kit.pin_shelf import PinShelf
from nexus_tui.app.main_screens import MAIN_SCREENS
from nexus_tui.app.open_run import OpenRun
from nexus_tui.app.playground.state import PlaygroundState
from nexus_tui.app.run_sources import LoggedRun, RunSource, SessionRun, create_session
from nexus_tui.app.teach.state import TeachRequest, TeachState
from nexus_tui.app.terminal.driver import ResilientDriver
from nexus_tui.app.terminal.typed_ahead import TypedAheadApp
from nexus_tui.app.themes import DEFAULT_THEME, THEMES, chart_style_of, unknown_theme
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.settings.app import UiSettings
from nexus_tui.words.forecasting import probe

if TYPE_CHECKING:
    from nexus_engine.config import Settings
    from nexus_engine.session import Session

__all__ = ["NexusApp"]

POLL_SECONDS = 0.1
SLOW_POLL_SECONDS = 0.5
"""Time between two polls of the run; the slow one applies with --low-bandwidth."""


class NexusApp(TypedAheadApp):
    """The app. `ending` says how it ended; `session` is the run that this process trains."""

    TITLE = "NEXUS"
    MODES: ClassVar[dict[str, Callable[[], Screen[None]]]] = MAIN_SCREENS  # type: ignore[assignment]
    DEFAULT_MODE = "runs"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "runs", "Runs", show=False, id="go.runs"),
        Binding("2", "switch_mode('live')", "Live run", show=False, id="go.live"),
        Binding("3", "switch_mode('playground')", "Playground", show=False, id="go.playground"),
        Binding("4", "switch_mode('compare')", "Compare", show=False, id="go.compare"),
        Binding("5", "sweeps", "Sweeps", show=False, id="go.sweeps"),
        Binding("6", "switch_mode('teach')", "Teach", show=False, id="go.teach"),
        Binding("question_mark", "keys_help", "Keys", key_display="?", id="app.help"),
        Binding("ctrl+p", "command_palette", "Commands", show=False, id="app.commands"),
        Binding("q", "leave", "Quit", id="app.quit"),
        Binding("ctrl+c", "leave", "Quit", show=False, id="app.interrupt"),
        Binding("ctrl+q", "leave", "Quit", show=False, id="app.quit_now", priority=True),
    ]
    COMMAND_PALETTE_BINDING = "ctrl+p"
    CSS = ASCII_CSS

    def __init__(
        self,
        settings: UiSettings,
        attach: Path | None = None,
        train: Settings | None = None,
        teach: TeachRequest | None = None,
        *,
        probe: Probe = probe,
    ) -> None:
        if teach is not None:
            self.DEFAULT_MODE = "teach"  # type: ignore[misc]
        super().__init__(driver_class=ResilientDriver)
        self.settings = settings
        self.open_run: OpenRun | None = None
        self.pointed_run: str | None = None
        """The run under the cursor of the list: the playground queries it while none is open."""
        self.marked: list[Path] = []
        """Runs marked for comparison, in the order of their letters."""
        self.may_probe = True
        """Whether a screen may measure a forecast before the user asks for one."""
        self.probe = probe
        """Measures a forecast; blocks, so call it in a worker thread."""
        self.playground = PlaygroundState(self)
        self.labels = LabelBook(*(teach[1:] if teach else ()))
        self.teach = TeachState(self, teach)
        self.export_work = ExportWork(self)
        self.session: Session | None = None
        self.ending: Ending = "quit"
        self.crash = ""
        self.loaded = threading.Event()
        """Set once torch and the engine modules that need it are imported."""
        self._event_loop: asyncio.AbstractEventLoop | None = None
        self._quit_question: Question | None = None
        """The last question that the user got on quitting with a live run."""
        self._attach_path = attach
        self._train_settings = train
        if attach is not None:
            self.DEFAULT_MODE = "live"  # type: ignore[misc]
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = settings.theme if settings.theme in self.available_themes else DEFAULT_THEME
        if settings.keys:
            self.set_keymap(dict(settings.keys))

    # Style

    @property
    def chart_style(self) -> ChartStyle:
        """Glyphs and styles of charts in the current theme."""
        return chart_style_of(self.current_theme, ascii_only=self.settings.ascii)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Variables that our style sheets use and that one of Textual's own themes may lack."""
        return {"footer-key-foreground": self.current_theme.primary}

    def get_key_display(self, binding: Binding) -> str:
        """The key as the screen shows it."""
        display = super().get_key_display(binding)
        return plain_key(display) if self.settings.ascii else display

    # Start and end

    def on_mount(self) -> None:
        """Open the requested run, start the timers, import the engine in the background."""
        self._event_loop = asyncio.get_running_loop()
        if self.ending != "quit":  # a signal arrived before the event loop ran
            self.exit()
            return
        self.set_class(self.settings.ascii, "-ascii")
        ScrollBar.renderer = PlainBar if self.settings.ascii else ScrollBarRender
        for warning in self.settings.warnings:
            self.tell(warning, "warning")
        if self.settings.theme not in self.available_themes:
            self.tell(unknown_theme(self.settings.theme, self.available_themes), "warning")
        if self._attach_path is not None:
            self.open_source(LoggedRun(self._attach_path), show=True)
        if self._train_settings is not None:
            self.start_training(self._train_settings)
        slow = self.settings.low_bandwidth
        self.set_interval(SLOW_POLL_SECONDS if slow else POLL_SECONDS, self._poll)
        self.set_interval(1.0, self.playground.tick)
        self.set_interval(1.0, self.teach.retraining.tick)
        self.set_timer(0.3, self._load_engine)
        self.call_later(self._check_keys)

    def leave_by_signal(self, ending: Ending) -> None:
        """Ask the run to stop if `ending` requires it, and close the screen.

        `opening` handles the rest. This is called from a signal handler, so it only sets values
        and wakes the event loop.
        """
        if self.ending == "quit":
            self.ending = ending
        if self.session is not None and ending in STOP_CODES:
            self.session.steering.stop(ending, STOP_CODES[ending])
        loop = self._event_loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self.exit)

    def terminal_lost(self) -> None:
        """Close the app: a read from the terminal or a write to it failed, so it is gone."""
        if self.ending == "quit":
            self.ending = "hung up"
        self.exit()

    def _load_engine(self) -> None:
        """Import torch in a thread, so that the first run or query need not wait for it.

        Where the app opens on Teach, its texts come first: the import would double their time.
        """

        def load() -> None:
            if self.DEFAULT_MODE == "teach":
                self.teach.has_glanced.wait()
            import nexus_engine.scoring.similarity
            import nexus_engine.session  # noqa: F401

            self.loaded.set()

        threading.Thread(target=load, name="nexus-loading", daemon=True).start()

    def _check_keys(self) -> None:
        for warning in unknown_ids(self.settings.keys, (self, *self.screen_stack)):
            self.tell(warning, "warning")

    def failed(self, error: Exception) -> bool:
        """Record an error of the screen; return whether it ends the app."""
        if self.leaving and isinstance(error, NoMatches | ScreenStackError):
            return False
        self.note_crash(error)
        return True

    def note_crash(self, error: Exception) -> None:
        """Record the error's type and place; its message may hold the user's text."""
        if isinstance(error, WorkerFailed) and isinstance(error.error, Exception):
            error = error.error  # the cause: WorkerFailed only says that a thread failed
        frames = traceback.extract_tb(error.__traceback__)
        own_frames = [frame for frame in frames if "nexus_" in frame.filename]
        last = next(reversed(own_frames or frames), None)
        place = "?" if last is None else f"{Path(last.filename).name}:{last.lineno}"
        self.crash = f"the screen failed: {type(error).__name__} at {place}"
        self.ending = "crashed"

    @property
    def pins(self) -> PinShelf:
        """The pins of all screens."""
        return self.playground.shelf

    # The open run

    def open_source(self, source: RunSource, *, show: bool) -> None:
        """Make `source` the open run; with `show`, bring the live screen to the front."""
        self.open_run = OpenRun(source)
        self.open_run.poll()
        if show and self.current_mode != "live":
            self.switch_mode("live")
        else:
            self._show(())

    def open_folder(self, path: Path, *, show: bool = True) -> None:
        """Open the run in `path`: live if this process trains it, otherwise from its log."""
        current = self.open_run
        if current is not None and current.source.path == path:
            if show:
                self.switch_mode("live")
            return
        if self.session is not None and self.session.folder.path == path and self.session.alive:
            self.open_source(SessionRun(self.session), show=show)
            return
        self.open_source(LoggedRun(path), show=show)

    def _poll(self) -> None:
        run = self.open_run
        if run is None:
            return
        events = run.poll()
        if not events:
            return
        for event in events:
            if isinstance(event, TERMINAL_EVENTS) and run.source.own:
                self.bell()
        self._show(events)

    def _show(self, events: Sequence[Event]) -> None:
        """Have the front screen show the open run."""
        front = self.screen
        # A screen that is not mounted has no widgets yet; it draws the whole run once it is.
        if isinstance(front, NexusScreen) and front.is_mounted:
            front.query_one(TopBar).redraw()
            front.run_changed(events)

    # Training in this process

    @property
    def training(self) -> bool:
        """Whether this process is training a run."""
        return self.session is not None and self.session.alive

    def start_training(
        self,
        settings: Settings,
        *,
        resume: Path | None = None,
        show: bool = True,
        begun: Begun = lambda _: None,
    ) -> None:
        """Train in this process, as `Host` says."""
        if self.training or self.teach.retraining.is_trying:
            self.tell("a run is live in this app already: stop it first", "warning")
            begun(None)
            return

        def start(session: Session, history: Sequence[Event]) -> None:
            self.session = session
            source = SessionRun(session, history)
            session.start()
            self.open_source(source, show=show)
            begun(session.folder.path)

        def create() -> None:
            try:
                made = create_session(settings, resume)
            except (NexusError, OSError) as error:
                self.call_from_thread(self.tell, one_line(error, 300), "error")
                self.call_from_thread(begun, None)
                return
            self.call_from_thread(start, *made)

        self.run_worker(create, thread=True, exclusive=True, group="begin")

    # Messages

    def tell(self, message: str, severity: SeverityLevel = "information") -> None:
        """Show a line in the corner for a few seconds, as plain text and never as markup."""
        self.notify(one_line(message, 400), severity=severity, markup=False)

    # Actions

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The commands of the command palette."""
        return palette_commands(self, screen)

    def action_command_palette(self) -> None:
        """Open the palette as Textual does, with a placeholder in ASCII."""
        if not CommandPalette.is_open(self):  # type: ignore[arg-type]
            self.push_screen(
                ClosingPalette(placeholder="Search for commands", id="--command-palette")
            )

    def action_keys_help(self) -> None:
        """Show the keys that apply here."""
        from nexus_tui.app.keys_help import KeysHelp

        if not isinstance(self.screen, KeysHelp):
            self.push_screen(KeysHelp(self.screen))

    async def action_runs(self) -> None:
        """Go to the list of runs or what was opened over it; from a sweep, back to the list."""
        if self.current_mode != "runs":
            await self.switch_mode("runs")
            return
        from nexus_tui.app.sweeps.sweep import SweepScreen
        from nexus_tui.app.sweeps.sweeps import SweepsScreen

        while isinstance(self.screen, SweepScreen | SweepsScreen):
            if not self.screen.is_mounted:  # try again once it can be closed
                self.set_timer(POLL_SECONDS, self.action_runs)
                return
            await self.pop_screen()

    async def action_new_run(self) -> None:
        """Show the form for a new run over the list of runs."""
        from nexus_tui.app.new_run.screen import NewRunScreen

        if self.current_mode != "runs":
            await self.switch_mode("runs")
        if not isinstance(self.screen, NewRunScreen):
            await self.push_screen(NewRunScreen())

    async def open_export(self, run: Path) -> None:
        """Show the export of `run` over the front screen, or the one at work."""
        from nexus_tui.app.export.screen import ExportScreen

        if not isinstance(self.screen, ExportScreen):
            await self.push_screen(ExportScreen(self.export_work, run))

    async def action_sweeps(self) -> None:
        """Show the list of sweeps over the list of runs."""
        from nexus_tui.app.sweeps.sweeps import SweepsScreen

        await self.switch_mode("runs")
        while any(isinstance(screen, SweepsScreen) for screen in self.screen_stack):
            if isinstance(self.screen, SweepsScreen):
                return
            if not self.screen.is_mounted:  # try again once it can be closed
                self.set_timer(POLL_SECONDS, self.action_sweeps)
                return
            await self.pop_screen()
        await self.push_screen(SweepsScreen())

    def action_leave(self) -> None:
        """Quit; ask first while this process trains a run or exports one."""
        if not self.training and not self.export_work.busy:
            self.exit()
            return
        if self.screen is self._quit_question:
            return
        question = "An export is at work. It ends with this app and leaves nothing."
        choices = [Choice("q", "quit", "quit"), Choice("y", "stay here", "stay")]
        if self.training:
            question = "A run is live in this app. What becomes of it?"
            choices[:1] = [
                Choice("l", "leave it running without this screen", "leave"),
                Choice("s", "stop it with a checkpoint, to be resumed", "quit"),
            ]
        self._quit_question = Question(question, choices)
        self.push_screen(self._quit_question, self._quit_answered)

    def _quit_answered(self, answer: str | None) -> None:
        if answer == "leave":
            self.ending = "leave"
            self.exit()
        elif answer == "quit":
            self.exit()
