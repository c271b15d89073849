"""The export of a run: the form, its progress, its result."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar, Literal, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.timer import Timer
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from nexus_engine.errors import ConfigError, one_line
from nexus_engine.exports.options import FORMATS, MAX_LOSS, Format
from nexus_tui.app.export.form import FIELDS, command_of, notes_of, request_of
from nexus_tui.app.export.work import ExportWork
from nexus_tui.app.kit.canvas import DrawnLines
from nexus_tui.app.kit.choice_field import ChoiceField
from nexus_tui.app.kit.form_row import FormRow
from nexus_tui.app.kit.frame import NexusScreen
from nexus_tui.app.kit.text_input import PlainInput
from nexus_tui.charts.kit.fitting import fitted, wrapped
from nexus_tui.charts.run.exporting import next_step, result_lines, stage_lines
from nexus_tui.words.formats import shown_path
from nexus_tui.work.exporting import ExportRequest, Subject, read_subject

__all__ = ["ExportScreen"]

TICK_SECONDS, SLOW_TICK_SECONDS = 0.25, 1.0
"""Time between two looks at the export; the slow one applies with --low-bandwidth."""
ABOUT = (
    "Everything is written, read back in a fresh process and compared with the run. A folder that "
    "does not agree is removed."
)
CANCELLED = "The export was cancelled; nothing of it is left."
Phase = Literal["form", "working", "done"]


class ExportScreen(NexusScreen):
    """Exports `run`; while another run's export is at work, it shows that."""

    DEFAULT_CSS = """
    ExportScreen #title { height: 2; padding: 0 1; }
    ExportScreen FormRow.-whole > .entry { width: 1fr; margin-right: 0; }
    ExportScreen FormRow.-whole > .remark { display: none; }
    ExportScreen.-small FormRow > .entry { width: 18; }
    ExportScreen.-small FormRow.-whole > .entry { width: 1fr; }
    ExportScreen FormRow > .label { width: 16; }
    ExportScreen #form { height: auto; }
    ExportScreen #words { height: 5; margin: 1 1 0 1; }
    ExportScreen #command { height: 3; margin: 1 1 0 1; }
    ExportScreen.-short #words { height: 4; }
    ExportScreen #stages { height: 1fr; margin: 0 1; }
    ExportScreen #result { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    ExportScreen #result Static { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "start", "Export", key_display="enter", id="export.start"),
        Binding("c", "cancel", "Cancel", id="export.cancel"),
        Binding("a", "another", "Another export", id="export.another"),
        Binding("ctrl+y", "copy", "Copy", key_display="^y", id="export.copy"),
        Binding("escape", "back", "Back", id="export.back"),
        Binding("down", "step(1)", "Next field", show=False, id="export.next"),
        Binding("up", "step(-1)", "Previous field", show=False, id="export.previous"),
        Binding("j", "step(1)", "Down", show=False, id="export.down"),
        Binding("k", "step(-1)", "Up", show=False, id="export.up"),
    ]
    AUTO_FOCUS = ""

    def __init__(self, work: ExportWork, run: Path) -> None:
        super().__init__()
        self._work = work
        self._run = run
        self._subject: Subject | None = None
        self._proposed = ""
        """The folder that the form proposed last."""
        self._phase: Phase | None = None
        self._version = -1
        self._error = ""
        """Why the form cannot start; the export's own refusal otherwise."""
        self._timer: Timer | None = None

    def body(self) -> ComposeResult:
        """The form with its words and command; the stages; the result."""
        yield DrawnLines(self._draw_title, id="title")
        request = self._request
        options = {
            "format": (FORMATS, request.format if request else FORMATS[0]),
            "fold": (
                ("exact", "approximate"),
                "approximate" if request and request.approximate else "exact",
            ),
        }
        with Vertical(id="form"):
            for field in FIELDS:
                choices, default = options.get(field.name, ((), ""))
                yield FormRow(field, options=choices, default=default)
        yield DrawnLines(self._draw_words, id="words")
        yield DrawnLines(self._draw_command, id="command")
        yield DrawnLines(self._draw_stages, id="stages")
        with VerticalScroll(id="result"):
            yield Static()

    def on_mount(self) -> None:
        """Read the run's card, and follow the export at work."""
        self.row("out").add_class("-whole")
        self.row("fold").display = False
        request = self._request
        if request is not None:
            self._set("out", request.out)
            if request.max_loss != MAX_LOSS:
                self._set("max_loss", f"{request.max_loss:g}")
        self._read()
        slow = self.nexus.settings.low_bandwidth
        self._timer = self.set_interval(SLOW_TICK_SECONDS if slow else TICK_SECONDS, self._tick)
        self._work.watched = self._run
        self._show()

    def row(self, name: str) -> FormRow:
        """The row of a field."""
        return next(row for row in self.query(FormRow) if row.field.name == name)

    def _entry(self, name: str) -> PlainInput:
        entry = self.row(name).entry
        assert isinstance(entry, PlainInput)
        return entry

    def _set(self, name: str, value: str) -> None:
        """Fill in a line, with the cursor at its end."""
        entry = self._entry(name)
        entry.value = value
        entry.cursor_position = len(value)

    @property
    def _request(self) -> ExportRequest | None:
        """This run's last export, if the app knows one."""
        request = self._work.request
        return request if request is not None and request.run == self._run else None

    # The run

    def _read(self) -> None:
        self.run_worker(
            lambda: read_subject(self._run), thread=True, group="subject", exclusive=True,
            exit_on_error=False,
        )  # fmt: skip

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Take what the run's card says."""
        if event.worker.group == "subject" and event.state is WorkerState.SUCCESS:
            self._subject = event.worker.result
            assert self._subject is not None
            self.row("fold").display = bool(self._subject.nonlinearity)
            if self._entry("out").value in self._subject.folders.values():
                self._proposed = self._entry("out").value
            self._update_form()

    # Following the export

    def on_screen_resume(self) -> None:
        """Come to the front: the export may have gone on."""
        super().on_screen_resume()
        self._work.watched = self._run
        if self._timer is not None:
            self._timer.resume()
        if self.is_mounted:
            self._tick()

    def on_screen_suspend(self) -> None:
        """Another screen is in front: the app tells the end of the export."""
        self._work.watched = None
        if self._timer is not None:
            self._timer.pause()

    def _tick(self) -> None:
        if self._work.version != self._version:
            self._show()
        elif self._work.busy:
            self.query_one("#stages", DrawnLines).redraw()

    def _show(self) -> None:
        """Show the form, the stages or the result, as the export stands."""
        work, before = self._work, self._phase
        self._version = work.version
        ended = None if work.busy else work.outcome
        if work.busy:
            self._phase = "working"
        elif ended is not None and ended.figures is not None and (self._request or before):
            self._phase = "done"
        else:
            self._phase = "form"
        for phase, parts in (
            ("form", ("#form", "#words", "#command")),
            ("working", ("#stages",)),
            ("done", ("#result",)),
        ):
            for part in parts:
                self.query_one(part).display = phase == self._phase
        if self._phase == "done":
            self._show_result()
        if self._phase != before:
            self._focus()
        if self._phase == "form":
            if before == "working":
                self._read()  # the folder that was proposed may be taken now
            self._update_form()
        self.query_one("#title", DrawnLines).redraw()
        self.refresh_bindings()

    def _focus(self) -> None:
        match self._phase:
            case "form":
                self.row("format").entry.focus()
            case "done":
                self.query_one("#result").focus()
            case _:
                self.set_focus(None)

    def _show_result(self) -> None:
        outcome = self._work.outcome
        if outcome is None or outcome.figures is None:
            return
        width = max(20, self.size.width - 3)
        lines = result_lines(outcome.figures, width, self.chart_style)
        self.query_one("#result Static", Static).update(Text("\n").join(lines))

    def on_resize(self) -> None:
        """Lay out the result for the new width."""
        self._show_result()

    # The form

    def _typed(self) -> dict[str, str]:
        typed = {}
        for row in self.query(FormRow):
            entry = row.entry
            name = row.field.name
            typed[name] = entry.selected if isinstance(entry, ChoiceField) else entry.value
        return typed

    @property
    def _asked(self) -> ExportRequest | None:
        """The export that the form means now; None if a field cannot be used."""
        try:
            return request_of(self._run, self._typed())
        except ConfigError:
            return None

    def on_choice_field_changed(self, event: ChoiceField.Changed) -> None:  # noqa: ARG002
        """Propose the folder of the format."""
        self._changed()

    def on_input_changed(self) -> None:
        """Show the command of the form."""
        self._changed()

    def _changed(self) -> None:
        self._error = ""
        self._update_form()

    def _update_form(self) -> None:
        typed = self._typed()
        out = self._entry("out")
        if self._subject is not None and out.value in ("", self._proposed) and not out.has_focus:
            self._proposed = self._subject.folders[cast("Format", typed["format"])]
            if out.value != self._proposed:
                self._set("out", self._proposed)
        notes = notes_of(typed, self._subject)
        for row in self.query(FormRow):
            name = row.field.name
            default = f"{MAX_LOSS:g}" if name == "max_loss" else None
            row.update_remark(error="", note=notes.get(name, ""), default=default)
        for part in ("#words", "#command"):
            self.query_one(part, DrawnLines).redraw()

    # Drawing

    def _draw_title(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        palette, request = self.chart_style.palette, self._work.request
        run = self._run
        if self._phase in ("working", "done") and request is not None:
            run = request.run
        name = fitted(one_line(run.name, 200), width - 8, self.chart_style)
        line = Text.assemble(("Export  ", palette.title), (name, palette.text))
        if self._phase != "working" or request is None:
            return [line]
        words = f"--format {request.format}, to {shown_path(request.out)}"
        if self._work.cancelling:
            words = "cancelling"
        return [line, Text(fitted(words, width, self.chart_style), palette.dim)]

    def _draw_words(self, width: int, height: int) -> list[Text]:
        style, work = self.chart_style, self._work
        error, words = self._error, ABOUT
        if work.request is not None and not work.busy and work.request == self._asked:
            error = error or (work.outcome.error if work.outcome is not None else "")
            words = CANCELLED if work.outcome is None else ABOUT
        if error:
            return wrapped(f"{style.glyphs.broken} {error}", width, height, style.palette.bad)
        return wrapped(words, width, height, style.palette.dim)

    def _draw_command(self, width: int, height: int) -> list[Text]:
        try:
            command = command_of(request_of(self._run, self._typed()))
        except ConfigError as error:
            return wrapped(str(error), width, height, self.chart_style.palette.warn)
        return wrapped(command, width, height, self.chart_style.palette.run)

    def _draw_stages(self, width: int, height: int) -> list[Text]:
        lines = stage_lines(list(self._work.stages), time.monotonic(), width, self.chart_style)
        return lines[-height:]

    # Actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer what applies: another key starts, cancels and begins anew."""
        applies = {
            "start": ("form",),
            "cancel": ("working",),
            "another": ("done",),
            "copy": ("form", "done"),
            "step": ("form", "done"),
        }
        return action not in applies or self._phase in applies[action]

    def on_input_submitted(self) -> None:
        """Export on Enter in a line."""
        self.action_start()

    def action_start(self) -> None:
        """Export as the form says."""
        if self._phase != "form":
            return
        self._update_form()  # the message of a key just before may be on its way
        try:
            request = request_of(self._run, self._typed())
        except ConfigError as error:
            self._error = str(error)
            self.query_one("#words", DrawnLines).redraw()
            return
        self._work.begin(request)
        self._tick()

    def action_cancel(self) -> None:
        """End the export; nothing of it is left."""
        self._work.cancel()
        self.query_one("#title", DrawnLines).redraw()

    def action_another(self) -> None:
        """Show the form again."""
        self._work.forget()
        self._read()
        self._tick()

    def action_copy(self) -> None:
        """Copy the command, or the lines that read the export, through the terminal (OSC 52)."""
        outcome = self._work.outcome
        if self._phase == "done" and outcome is not None and outcome.figures is not None:
            words = "\n".join(next_step(outcome.figures))
        else:
            try:
                words = command_of(request_of(self._run, self._typed()))
            except ConfigError as error:
                self.nexus.tell(str(error), "warning")
                return
        self.app.copy_to_clipboard(words)
        self.nexus.tell("copied, if the terminal allows it; the screen also shows it")

    def action_step(self, step: int) -> None:
        """Focus the next field (1) or the one before (-1); scroll the result."""
        if self._phase == "done":
            self.query_one("#result", VerticalScroll).scroll_relative(y=step, animate=False)
        elif step > 0:
            self.focus_next()
        else:
            self.focus_previous()

    def action_back(self) -> None:
        """Return to the run; an export at work goes on."""
        self._work.watched = None
        if self._work.busy:
            self.nexus.tell("the export goes on; the same key shows it again")
        self.dismiss()
