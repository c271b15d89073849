"""A new run: what to train, checked as it is typed, with a forecast and the command line."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.css.query import NoMatches
from textual.timer import Timer
from textual.widgets import Button
from textual.worker import Worker, WorkerState, get_current_worker

from nexus_engine.errors import NexusError, one_line
from nexus_tui.app.kit.canvas import DrawnLines
from nexus_tui.app.kit.frame import NexusScreen
from nexus_tui.app.new_run.choice_field import ChoiceField
from nexus_tui.app.new_run.form_row import FormRow
from nexus_tui.app.new_run.run_form import (
    FIELDS,
    Checked,
    check,
    choices,
    command_words,
    measured_values,
    plan_in_words,
    recipes_of,
)
from nexus_tui.charts.kit.fitting import fitted
from nexus_tui.words.forecasting import Forecasted, forecast_lines, probe, question_lines
from nexus_tui.words.formats import count, size
from nexus_tui.work.background import Detached, begin_detached

__all__ = ["NewRunScreen"]

GLANCE_SECONDS = 0.3
PROBE_SECONDS = 1.0
"""How long the form stands still before the data is looked at, and before the probe is run."""
MEASURING = "measuring what it will cost: a few real steps, in a process of its own"
BUSY = "a run is live in this app: ctrl+r measures all the same, and slows it down"


class NewRunScreen(NexusScreen):
    """The form. Enter starts the run in this app; it can also be started apart from it."""

    DEFAULT_CSS = """
    NewRunScreen #title { height: 1; padding: 0 1; }
    NewRunScreen #form { height: 1fr; max-height: 12; scrollbar-size-vertical: 1; }
    NewRunScreen.-small FormRow > .entry { width: 18; }
    NewRunScreen #checks { height: 2; margin: 1 1 0 1; }
    NewRunScreen #forecast { height: 3; margin: 0 1; }
    NewRunScreen #command { height: 2; margin: 0 1; }
    NewRunScreen #buttons { height: 1; padding: 0 1; }
    NewRunScreen #buttons Button { margin: 0 2 0 0; }
    NewRunScreen.-tall #checks { margin: 1; }
    NewRunScreen.-tall #forecast { height: 4; margin: 0 1 1 1; }
    NewRunScreen.-tall #command { margin: 0 1 1 1; }
    NewRunScreen.-short #checks { margin: 0 1; }
    NewRunScreen.-short #forecast { height: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "start", "Start", key_display="enter", id="new.start"),
        Binding("ctrl+o", "detach", "Start detached", key_display="^o", id="new.detach"),
        Binding("escape", "back", "Back", id="new.back"),
        Binding("ctrl+y", "copy", "Copy command", key_display="^y", id="new.copy"),
        Binding("ctrl+r", "measure", "Measure", key_display="^r", id="new.measure"),
        Binding("down", "step(1)", "Next field", show=False, id="new.next"),
        Binding("up", "step(-1)", "Previous field", show=False, id="new.previous"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._checked = Checked({}, None, {})
        self._data_error = ""
        self._data_note = ""
        self._data_glanced_at: str | None = None
        self._forecast: Forecasted | None = None
        self._measuring = ""
        self._failure = ""
        self._glance_timer: Timer | None = None
        self._probe_timer: Timer | None = None
        self._probed: list[str] | None = None
        self._over = False

    def body(self) -> ComposeResult:
        """The fields, and under them what they come to."""
        yield DrawnLines(self._draw_title, id="title")
        offered = choices()
        with VerticalScroll(id="form", can_focus=False):
            for field in FIELDS:
                options, now = offered.get(field.name, ((), ""))
                yield FormRow(field, options=options, standing=now)
        yield DrawnLines(self._draw_checks, id="checks")
        yield DrawnLines(self._draw_forecast, id="forecast")
        yield DrawnLines(self._draw_command, id="command")
        with Horizontal(id="buttons"):
            yield Button("Start", id="start", compact=True, variant="primary")
            yield Button("Start detached", id="detach", compact=True)
            yield Button("Copy command", id="copy", compact=True)

    def on_mount(self) -> None:
        """Check what stands before anything is typed."""
        self.row("data").entry.focus()
        self._check()

    def row(self, name: str) -> FormRow:
        """The row of a field."""
        for row in self.query(FormRow):
            if row.field.name == name:
                return row
        raise NoMatches(name)

    # Checking

    def on_input_changed(self) -> None:
        """Another letter."""
        self._check()

    def on_choice_field_changed(self, event: ChoiceField.Changed) -> None:  # noqa: ARG002
        """Another choice; recipes belong to a regime."""
        tune, recipe = self.row("tune").entry, self.row("recipe").entry
        if isinstance(tune, ChoiceField) and isinstance(recipe, ChoiceField):
            recipe.offer(recipes_of(tune.chosen), "default")
        self._check()

    def _check(self) -> None:
        before = self._checked.arguments
        self._checked = check({row.field.name: row.value for row in self.query(FormRow)})
        if self._checked.said.get("data") != self._data_glanced_at:
            self._data_error = self._data_note = ""
        self._say_all()
        if self._checked.arguments == before and self._probed is not None:
            return
        self._failure = ""
        self._stop_measuring()
        for timer in (self._glance_timer, self._probe_timer):
            if timer is not None:
                timer.stop()
        self._glance_timer = self.set_timer(GLANCE_SECONDS, self._glance_at_data)
        if self._checked.settings is not None and self._may_probe:
            self._probe_timer = self.set_timer(PROBE_SECONDS, self.action_measure)

    @property
    def _may_probe(self) -> bool:
        """Whether to measure unasked: not beside a run, which it would slow down."""
        return self.nexus.may_probe and not self.nexus.training

    def _say_all(self) -> None:
        values = dict(self._checked.shown)
        figures = self._forecast.figures if self._forecast is not None else None
        if figures is not None and self._checked.settings is not None:
            values |= measured_values(self._checked.settings, figures)
        for row in self.query(FormRow):
            name = row.field.name
            error = self._checked.errors.get(name, "")
            if name == "data":
                error = error or self._data_error
            note = self._data_note if name == "data" else ""
            row.tell(error=error, note=note, standing=values.get(name))
        self._draw_below()

    def _draw_below(self) -> None:
        for name in ("#checks", "#forecast", "#command"):
            self.query_one(name, DrawnLines).redraw()

    # The data

    def _glance_at_data(self) -> None:
        settings = self._checked.settings
        if settings is None:
            return
        spec = settings.data
        self._data_glanced_at = self._checked.said.get("data")

        def look() -> tuple[str, str]:
            from nexus_engine.data.files.glance import glance

            try:
                found = glance(spec)
            except NexusError as error:
                return one_line(error, 300), ""
            lines = "" if found.lines is None else f"{count(found.lines)} lines, "
            noun = "file" if found.files == 1 else "files"
            return "", f"{found.files} {noun}, {lines}{size(found.size_bytes)}"

        self.run_worker(look, thread=True, group="glance", exclusive=True, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """The data was looked at, the probe is over, or a run goes on apart from here."""
        if event.state is not WorkerState.SUCCESS:
            return
        result = event.worker.result
        if event.worker.group == "glance":
            self._data_error, self._data_note = result or ("", "")
            self._say_all()
        elif event.worker.group == "forecast" and isinstance(result, Forecasted):
            self._measuring = ""
            self._forecast = result
            self._say_all()
        elif event.worker.group == "detach":
            self._detached(result)

    # The forecast

    def _stop_measuring(self) -> None:
        self.workers.cancel_group(self, "forecast")
        self._forecast, self._measuring = None, ""

    def action_measure(self) -> None:
        """Run the probe on what the form says now."""
        if self._checked.settings is None or self._data_error:
            return
        self._stop_measuring()
        self._measuring = MEASURING
        self._probed = arguments = self._checked.arguments

        def measure() -> Forecasted | None:
            worker = get_current_worker()
            return probe(arguments, lambda: worker.is_cancelled)

        self.run_worker(measure, thread=True, group="forecast", exclusive=True, exit_on_error=False)
        self._draw_below()

    # Drawing

    def _draw_title(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        palette = self.chart_style.palette
        line = Text().append("New run", palette.title)
        return [line.append("  enter starts it; what is blank stays as shown", palette.dim)]

    def _draw_checks(self, width: int, height: int) -> list[Text]:
        palette, glyphs = self.chart_style.palette, self.chart_style.glyphs
        errors = [*self._checked.errors.values(), self._data_error, self._failure]
        errors = [error for error in errors if error]
        if errors:
            return _wrapped(f"{glyphs.broken} {errors[0]}", width, height, palette.bad)
        if self._checked.settings is None:
            return []
        words = plan_in_words(self._checked.settings)
        return _wrapped(words, width, height, palette.text)

    def _draw_forecast(self, width: int, height: int) -> list[Text]:
        palette = self.chart_style.palette
        if self._measuring:
            return _wrapped(self._measuring, width, height, palette.dim)
        found = self._forecast
        if found is None:
            words = BUSY if self.nexus.training else ""
            return _wrapped(words, width, height, palette.dim)
        if found.figures is None:
            words = f"no forecast: {found.error}"
            return _wrapped(words, width, height, palette.warn)
        first, *rest = forecast_lines(found.figures)
        lines = [Text(fitted(first, width, self.chart_style), style=palette.title)]
        asked = question_lines(found.figures)
        if asked:
            return [*lines, *_wrapped(" ".join(asked), width, height - len(lines), palette.warn)]
        return [
            *lines,
            *(Text(fitted(words, width, self.chart_style), style=palette.dim) for words in rest),
        ]

    def _draw_command(self, width: int, height: int) -> list[Text]:
        words = command_words(self._checked.arguments)
        return _wrapped(words, width, height, self.chart_style.palette.run)

    # Actions

    def action_step(self, step: int) -> None:
        """The next or the previous field."""
        if step > 0:
            self.focus_next()
        else:
            self.focus_previous()

    def on_input_submitted(self) -> None:
        """Enter in a field starts the run."""
        self.action_start()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A click on a button, or Enter on it."""
        actions = {"start": self.action_start, "detach": self.action_detach}
        actions.get(event.button.id or "", self.action_copy)()

    def _ready(self) -> bool:
        """Whether all is well; else the field that is not gets the focus."""
        wrong = "data" if self._data_error else next(iter(self._checked.errors), None)
        if wrong is None and self._checked.settings is not None:
            return True
        if wrong:
            self.row(wrong).entry.focus()
        self.nexus.tell("the run cannot start yet: see what is marked in the form", "warning")
        return False

    def action_start(self) -> None:
        """Train in this app."""
        if not self._ready():
            return
        if self.nexus.training:
            self.nexus.tell(
                "a run is live in this app already: stop it first, or start this one detached",
                "warning",
            )
            return
        settings = self._checked.settings
        assert settings is not None
        self._leave()
        self.nexus.start_training(settings)

    def action_detach(self) -> None:
        """Train in a process that outlives this terminal."""
        if not self._ready():
            return
        settings, arguments = self._checked.settings, self._checked.arguments
        assert settings is not None
        label = f"{Path(settings.data).stem}-{settings.tune}"
        self._stop_measuring()
        self._measuring = "starting it in a process of its own"
        self._draw_below()

        def begin() -> Detached | str:
            worker = get_current_worker()
            return _begin(arguments, label, lambda: worker.is_cancelled)

        self.run_worker(begin, thread=True, group="detach", exclusive=True, exit_on_error=False)

    def _detached(self, result: Detached | str | None) -> None:
        self._measuring = ""
        if isinstance(result, Detached):
            self.nexus.tell(f"{result.folder.name} goes on in process {result.pid}")
            app = self.nexus
            self._leave()
            app.open_folder(result.folder)
        else:
            self._failure = result or "the run did not begin"
            self._draw_below()

    def action_copy(self) -> None:
        """Put the command line on the clipboard, by the terminal (OSC 52)."""
        self.app.copy_to_clipboard(command_words(self._checked.arguments))
        self.nexus.tell("copied, where the terminal allows it; it also stands under the form")

    def action_back(self) -> None:
        """Back to the runs; nothing is started."""
        self._leave()

    def _leave(self) -> None:
        self._stop_measuring()
        self._over = True
        self.dismiss()

    def on_screen_resume(self) -> None:
        """To the front again: where the run began while the user was elsewhere, close now."""
        super().on_screen_resume()
        if self._over:
            self.dismiss()


def _begin(arguments: list[str], label: str, cancelled: Callable[[], bool]) -> Detached | str:
    """In a worker thread: the run in a process of its own, or why there is none."""
    from nexus_engine.runs.folder import reserve_folder

    try:
        folder = reserve_folder(label)
    except NexusError as error:
        return str(error)
    try:
        return begin_detached(["train", *arguments, "--out", str(folder)], folder, cancelled)
    except (NexusError, OSError) as error:
        with contextlib.suppress(OSError):
            folder.rmdir()
        return one_line(error, 300)


def _wrapped(words: str, width: int, height: int, style: Style) -> list[Text]:
    """`words` over at most `height` lines."""
    lines = textwrap.wrap(one_line(words, 600), max(8, width), break_on_hyphens=False)
    return [Text(line, style=style) for line in lines[:height]]
