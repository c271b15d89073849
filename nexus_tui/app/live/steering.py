"""Steering the open run from the screen: pause, stop, grow, roll back and resume."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from textual import events as textual_events
from textual.binding import Binding, BindingType

from nexus_engine.config import Settings
from nexus_engine.errors import NexusError, one_line
from nexus_engine.runs.requests import Ask
from nexus_tui.app.kit.declared_keys import declared_keys, key_displays
from nexus_tui.app.kit.dialogs import Choice, Question
from nexus_tui.app.kit.frame import NexusScreen
from nexus_tui.app.live.applicable import HIDDEN_WHEN_ENDED, why_not
from nexus_tui.app.open_run import OpenRun
from nexus_tui.app.run_sources import SessionRun
from nexus_tui.charts.run.heading import Head

__all__ = ["SteeringScreen"]

QUESTIONS: dict[Ask, tuple[str, str, str]] = {
    "stop": (
        "Stop the run? It ends within a step, with a checkpoint, and can be resumed from there.",
        "stop it",
        "let it run",
    ),
    "grow": (
        "Grow a set of dendrites now? The epoch is cut short and measured; a set on trial is "
        "settled first. This cannot be undone while the run goes on, except by rolling back.",
        "grow now",
        "leave it to the plan",
    ),
    "roll_back": (
        "Roll back the set on trial? The epoch is cut short and measured, then the set is removed "
        "and the weights from before it are restored. This cannot be undone.",
        "roll it back",
        "keep it on trial",
    ),
}
"""For requests that cannot be undone: the question, and the labels for yes and no."""


class SteeringScreen(NexusScreen):
    """Base of `LiveScreen` whose keys steer `nexus.open_run`. Override `draw`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "Pause", id="run.pause"),
        Binding("s", "stop", "Stop", id="run.stop"),
        Binding("g", "grow", "Grow", id="run.grow"),
        Binding("b", "roll_back", "Roll back", id="run.roll_back"),
        Binding("u", "resume", "Resume", id="run.resume"),
    ]

    def draw(self) -> None:
        """Draw the open run in its current state."""
        raise NotImplementedError

    @property
    def open_run(self) -> OpenRun | None:
        """The run that is shown and steered."""
        return self.nexus.open_run

    keys_in_force: Mapping[str, str] = {}
    """From the ID of an action of this screen or the app to its key for display."""

    def read_keys(self) -> None:
        """Set `keys_in_force` from the bindings and the user's settings."""
        self.keys_in_force = key_displays(self, self.app)

    @property
    def head(self) -> Head:
        """The facts that the head shows in addition to the view."""
        run = self.open_run
        if run is None:
            return Head(name="")
        source = run.source
        return Head(
            name=source.name,
            alive=run.alive,
            requested=run.requested,
            dropped_steps=source.dropped_steps,
            starting=isinstance(source, SessionRun) and source.starting,
            keys=self.keys_in_force,
        )

    # Which actions apply

    def why_not(self, action: str) -> str | None:
        """Why `action` does not apply now; None if it does."""
        run = self.open_run
        view = run.view if run is not None else None
        return why_not(action, view, self.head, training=self.nexus.training)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Grey out an action that does not apply now; hide one that cannot apply any more."""
        if self.why_not(action) is None:
            return True
        run = self.open_run
        if run is None or action in ("resume", "export", "switch", "switch_detail"):
            return False
        over = run.view.ended is not None or not run.alive
        return False if over and action in HIDDEN_WHEN_ENDED else None

    def on_key(self, event: textual_events.Key) -> None:
        """Say why the action of the pressed key does not apply, if it does not."""
        for binding in declared_keys(self, self.nexus.settings.keys):
            if binding.key != event.key:
                continue
            reason = self.why_not(binding.action.partition("(")[0])
            if reason is not None:
                event.stop()
                self.nexus.tell(f"{binding.description}: {reason}", "warning")
                return

    # Steering

    def _steer(self, request: Ask) -> None:
        run = self.open_run
        if run is None:
            return
        try:
            run.steer(request)
        except OSError as error:
            self.nexus.tell(f"the run's folder cannot be written: {error.strerror}", "error")
            return
        self.draw()

    def _steer_after_question(self, request: Ask) -> None:
        question, yes, no = QUESTIONS[request]
        choices = (Choice("y", yes, "yes"), Choice("n", no, "no"))

        def answered(answer: str | None) -> None:
            if answer != "yes":
                return
            reason = self.why_not(request)  # the run may have moved on during the question
            if reason is None:
                self._steer(request)
            else:
                self.nexus.tell(reason, "warning")

        self.app.push_screen(Question(question, choices), answered)

    def action_pause(self) -> None:
        """Pause the run before its next step, or continue it."""
        run = self.open_run
        paused = run is not None and (run.view.paused or run.requested == "pause")
        self._steer("resume" if paused else "pause")

    def action_stop(self) -> None:
        """Stop the run with a checkpoint, after a question."""
        self._steer_after_question("stop")

    def action_grow(self) -> None:
        """Grow a set now, after a question."""
        self._steer_after_question("grow")

    def action_roll_back(self) -> None:
        """Roll back the set on trial, after a question."""
        self._steer_after_question("roll_back")

    def action_resume(self) -> None:
        """Resume a run that was stopped, failed or was interrupted, in this app."""
        run = self.open_run
        if run is None:
            return
        path = run.source.path
        self.run_worker(
            lambda: self._resume(str(path)), thread=True, exclusive=True, group="resume"
        )

    def _resume(self, run: str) -> None:
        """Read the settings of `run` in a worker thread, then start to train."""
        from nexus_engine.runs.resuming import resumable

        try:
            folder, settings = resumable(run)
        except (NexusError, OSError) as error:
            self.app.call_from_thread(self.nexus.tell, one_line(error, 300), "error")
            return
        self.app.call_from_thread(self._start, settings, folder.path)

    def _start(self, settings: Settings, path: Path) -> None:
        self.nexus.start_training(settings, resume=path)
