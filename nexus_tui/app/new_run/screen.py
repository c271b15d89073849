"""The form for a new run: it checks the input as you type, measures a forecast, starts the run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, Literal

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
from nexus_tui.app.kit.choice_field import ChoiceField
from nexus_tui.app.kit.form_row import FormRow
from nexus_tui.app.kit.frame import NexusScreen
from nexus_tui.app.new_run.form_lines import (
    command_lines,
    forecast_picture,
    note_lines,
    plan_lines,
)
from nexus_tui.app.new_run.run_form import (
    FIELDS,
    Checked,
    Glanced,
    check,
    choices,
    command_words,
    glance_at_data,
    measured_values,
    recipes_of,
)
from nexus_tui.words.forecasting import Forecasted
from nexus_tui.work.background import Detached, begin_detached

__all__ = ["NewRunScreen"]

GLANCE_SECONDS = 0.3
"""Time without a change before the form looks at the data."""
PROBE_SECONDS = 1.0
"""Time without a change before the form measures a forecast."""
MEASURING = "measuring time and memory: a few real training steps in a separate process"
BUSY = "a run is live in this app: ctrl+r measures anyway, and slows that run down"

BeginDetached = Callable[[Sequence[str], Path, Callable[[], bool]], Detached]
"""Starts `nexus ARGUMENTS` as a detached process that trains into a folder; can be cancelled."""


class NewRunScreen(NexusScreen):
    """The form. Enter starts the run in this app; Ctrl-O starts it in a detached process."""

    DEFAULT_CSS = """
    NewRunScreen #title { height: 1; padding: 0 1; }
    NewRunScreen #form { height: 1fr; max-height: 13; scrollbar-size-vertical: 1; }
    NewRunScreen.-small FormRow > .entry { width: 18; }
    NewRunScreen #checks { height: 2; margin: 0 1; }
    NewRunScreen #forecast { height: 3; margin: 0 1; }
    NewRunScreen #command { height: 2; margin: 0 1; }
    NewRunScreen #buttons { height: 1; padding: 0 1; }
    NewRunScreen #buttons Button { margin: 0 2 0 0; }
    NewRunScreen.-tall #checks { margin: 1; }
    NewRunScreen.-tall #forecast { height: 4; margin: 0 1 1 1; }
    NewRunScreen.-tall #command { margin: 0 1 1 1; }
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

    def __init__(
        self,
        *,
        begin_detached: BeginDetached = begin_detached,
        glance_seconds: float = GLANCE_SECONDS,
        probe_seconds: float = PROBE_SECONDS,
    ) -> None:
        super().__init__()
        self._begin_detached = begin_detached
        self._glance_seconds = glance_seconds
        self._probe_seconds = probe_seconds
        self._checked = Checked({}, None, {})
        self._data_error = ""
        self._data_note = ""
        self._tasks: dict[tuple[str, str | None], Literal["pairs", "retrieval"]] = {}
        """What data is for, as far as glances at it have told."""
        self._glanced_data: str | None = None
        """The data, as typed, that `_data_error` and `_data_note` are about."""
        self._forecast: Forecasted | None = None
        self._measuring = ""
        self._failure = ""
        """Why a detached run did not begin."""
        self._glance_timer: Timer | None = None
        self._probe_timer: Timer | None = None
        self._probed_arguments: list[str] | None = None
        self._finished = False
        """Whether the form has done its work and closes as soon as it is in front."""

    def body(self) -> ComposeResult:
        """The fields, and below them the plan, the forecast, the command and the buttons."""
        yield DrawnLines(self._draw_title, id="title")
        options_of = choices()
        with VerticalScroll(id="form", can_focus=False):
            for field in FIELDS:
                options, default = options_of.get(field.name, ((), ""))
                yield FormRow(field, options=options, default=default)
        yield DrawnLines(self._draw_checks, id="checks")
        yield DrawnLines(self._draw_forecast, id="forecast")
        yield DrawnLines(self._draw_command, id="command")
        with Horizontal(id="buttons"):
            yield Button("Start", id="start", compact=True, variant="primary")
            yield Button("Start detached", id="detach", compact=True)
            yield Button("Copy command", id="copy", compact=True)

    def on_mount(self) -> None:
        """Focus the first field and check the defaults."""
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
        """Check the form after each change of a text."""
        self._check()

    def on_choice_field_changed(self, event: ChoiceField.Changed) -> None:  # noqa: ARG002
        """Offer the recipes of the selected regime, then check the form."""
        tune, recipe = self.row("tune").entry, self.row("recipe").entry
        if isinstance(tune, ChoiceField) and isinstance(recipe, ChoiceField):
            recipe.offer(recipes_of(tune.selected), "default")
        self._check()

    def _typed(self) -> dict[str, str]:
        return {row.field.name: row.value for row in self.query(FormRow)}

    def _check(self) -> None:
        before = self._checked.arguments
        self._checked = check(self._typed(), self._tasks)
        if self._checked.values.get("data") != self._glanced_data:
            self._data_error = self._data_note = ""
        self._update_rows()
        if self._checked.arguments == before and self._probed_arguments is not None:
            return
        self._failure = ""
        self._stop_measuring()
        for timer in (self._glance_timer, self._probe_timer):
            if timer is not None:
                timer.stop()
        self._glance_timer = self.set_timer(self._glance_seconds, self._glance_at_data)
        if self._checked.settings is not None and self._may_probe:
            self._probe_timer = self.set_timer(self._probe_seconds, self.action_measure)

    @property
    def _may_probe(self) -> bool:
        """Whether to measure without a request: never beside a run, which that would slow down."""
        return self.nexus.may_probe and not self.nexus.training

    def _update_rows(self) -> None:
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
            row.update_remark(error=error, note=note, default=values.get(name))
        self._draw_below()

    def _draw_below(self) -> None:
        for name in ("#checks", "#forecast", "#command"):
            self.query_one(name, DrawnLines).redraw()

    # The data

    def _glance_at_data(self) -> None:
        config = self._checked.config
        if config is None:
            return
        self._glanced_data = self._checked.values.get("data")

        self.run_worker(
            lambda: glance_at_data(config),
            thread=True,
            group="glance",
            exclusive=True,
            exit_on_error=False,
        )

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show the result of a worker: a glance at the data, a forecast, or a detached start."""
        if event.state is not WorkerState.SUCCESS:
            return
        result = event.worker.result
        if isinstance(result, Glanced):
            config, self._data_error, self._data_note = result
            if config.task != "auto":
                self._tasks[config.data, config.columns] = config.task
                self._checked = check(self._typed(), self._tasks)
            self._update_rows()
        elif event.worker.group == "forecast" and isinstance(result, Forecasted):
            self._measuring = ""
            self._forecast = result
            self._update_rows()
        elif event.worker.group == "detach":
            self._show_detached(result)

    # The forecast

    def _stop_measuring(self) -> None:
        self.workers.cancel_group(self, "forecast")
        self._forecast, self._measuring = None, ""

    def action_measure(self) -> None:
        """Measure a forecast of the run that the form describes now."""
        if self._checked.settings is None or self._data_error:
            return
        self._stop_measuring()
        self._measuring = MEASURING
        self._probed_arguments = arguments = self._checked.arguments

        def measure() -> Forecasted | None:
            worker = get_current_worker()
            return self.nexus.probe(arguments, lambda: worker.is_cancelled)

        self.run_worker(measure, thread=True, group="forecast", exclusive=True, exit_on_error=False)
        self._draw_below()

    # Drawing

    def _draw_title(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        palette = self.chart_style.palette
        line = Text().append("New run", palette.title)
        return [line.append("  enter starts it; blank keeps the value shown", palette.dim)]

    def _draw_checks(self, width: int, height: int) -> list[Text]:
        errors = [*self._checked.errors.values(), self._data_error, self._failure]
        error = next(filter(None, errors), "")
        return plan_lines(self._checked.settings, error, width, height, self.chart_style)

    def _draw_forecast(self, width: int, height: int) -> list[Text]:
        if self._measuring or self._forecast is None:
            note = self._measuring or (BUSY if self.nexus.training else "")
            return note_lines(note, width, height, self.chart_style)
        return forecast_picture(self._forecast, width, height, self.chart_style)

    def _draw_command(self, width: int, height: int) -> list[Text]:
        return command_lines(self._checked.arguments, width, height, self.chart_style)

    # Actions

    def action_step(self, step: int) -> None:
        """Focus the next field (1) or the previous one (-1)."""
        if step > 0:
            self.focus_next()
        else:
            self.focus_previous()

    def on_input_submitted(self) -> None:
        """Start the run on Enter in a field."""
        self.action_start()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Do what the button says."""
        actions = {"start": self.action_start, "detach": self.action_detach}
        actions.get(event.button.id or "", self.action_copy)()

    def _ready(self) -> bool:
        """Whether the run can start; if not, focus the field with the error and say so."""
        self._checked = check(self._typed())  # the task is read now if no glance has told it
        invalid = "data" if self._data_error else next(iter(self._checked.errors), None)
        if invalid is None and self._checked.settings is not None:
            return True
        if invalid:
            self.row(invalid).entry.focus()
        self.nexus.tell("the run cannot start yet: correct what the form marks", "warning")
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
        self._close()
        self.nexus.start_training(settings)

    def action_detach(self) -> None:
        """Train in a detached process, which outlives this terminal."""
        if not self._ready():
            return
        settings, arguments = self._checked.settings, self._checked.arguments
        assert settings is not None
        label = f"{Path(settings.data).stem}-{settings.tune}"
        self._stop_measuring()
        self._measuring = "starting the run in a process of its own"
        self._draw_below()

        def begin() -> Detached | str:
            worker = get_current_worker()
            return self._begin(arguments, label, lambda: worker.is_cancelled)

        self.run_worker(begin, thread=True, group="detach", exclusive=True, exit_on_error=False)

    def _begin(
        self, arguments: list[str], label: str, cancelled: Callable[[], bool]
    ) -> Detached | str:
        """Start a detached run and wait until it begins; a message if it does not."""
        from nexus_engine.runs.folder import reserve_folder

        try:
            folder = reserve_folder(label)
        except NexusError as error:
            return str(error)
        try:
            command = ["train", *arguments, "--out", str(folder)]
            return self._begin_detached(command, folder, cancelled)
        except (NexusError, OSError) as error:
            with contextlib.suppress(OSError):
                folder.rmdir()
            return one_line(error, 300)

    def _show_detached(self, result: Detached | str | None) -> None:
        self._measuring = ""
        if isinstance(result, Detached):
            self.nexus.tell(f"{result.folder.name} continues in process {result.pid}")
            app = self.nexus
            self._close()
            app.open_folder(result.folder)
        else:
            self._failure = result or "the run did not begin"
            self._draw_below()

    def action_copy(self) -> None:
        """Copy the command line to the clipboard through the terminal (OSC 52)."""
        self.app.copy_to_clipboard(command_words(self._checked.arguments))
        self.nexus.tell("copied, if the terminal allows it; the form also shows the command")

    def action_back(self) -> None:
        """Return to the runs without starting one."""
        self._close()

    def _close(self) -> None:
        self._stop_measuring()
        self._finished = True
        self.dismiss()

    def on_screen_resume(self) -> None:
        """Close now if the run began while another screen was in front."""
        super().on_screen_resume()
        if self._finished:
            self.dismiss()
