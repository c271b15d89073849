"""A retrain on the verdicts so far: begun from Teach, followed from any screen, then compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from nexus_tui.app.kit.host import Host
from nexus_tui.app.kit.work_queue import Check, WorkQueue
from nexus_tui.app.teach.outcome import Outcome, outcome_of
from nexus_tui.words.formats import correlation
from nexus_tui.work.label_runs import NextRun, next_run

if TYPE_CHECKING:
    from nexus_engine.teaching.learning_curve import LearningCurve
    from nexus_engine.training.steering import Steering

__all__ = ["Retrain", "Retraining", "Task"]

Stage = Literal["", "planning", "starting", "training", "comparing", "trying"]
Task = Literal["pairs", "retrieval"]


Planner = Callable[[Path, str, Task], NextRun]
"""Plans a run on a label file about some texts; blocks. See `next_run`."""


class Retrain(NamedTuple):
    """A retrain that has begun: its run folder, the weights before it, and the texts."""

    run: Path
    before: Path | None
    spec: str

    @property
    def weights(self) -> Path:
        """The folder of the run's best weights."""
        return self.run / "best"


class Retraining:
    """At most one retrain at a time. Its methods run in the UI thread.

    `changed` is called after each change; `finished` with each retrain that ends well, before its
    outcome is known.
    """

    def __init__(
        self,
        app: Host,
        changed: Callable[[], None],
        finished: Callable[[Retrain], None],
        *,
        plan: Planner = next_run,
    ) -> None:
        self._app = app
        self._plan = plan
        self._changed, self._finished = changed, finished
        self._queue = WorkQueue(app.call_later, "nexus-comparing")
        self.outcome: Outcome | None = None
        """What the last retrain changed."""
        self.stage: Stage = ""
        self.note = ""
        """What became of the last retrain, or why it could not begin."""
        self.curve: LearningCurve | None = None
        """What more labels would bring, once it was tried."""
        self._retrain: Retrain | None = None
        self._embedded = 0
        self._trying: Steering | None = None
        self._tried = ""

    @property
    def is_busy(self) -> bool:
        """Whether a retrain is under way."""
        return bool(self.stage)

    @property
    def is_trying(self) -> bool:
        """Whether the short runs of the learning curve train in this process."""
        return self.stage == "trying"

    def _may_begin(self) -> bool:
        if self.is_busy or self._app.training:
            self._app.tell("a run is live in this app: try again when it has ended")
            return False
        self.note = ""
        return True

    def begin(self, labels: Path, spec: str, task: Task) -> None:
        """Train on the verdicts so far, unless a run is live in this app."""
        if not self._may_begin():
            return
        self._set("planning")

        def planned(plan: NextRun) -> None:
            self._set("starting")

            def begun(run: Path | None) -> None:
                if run is None:
                    self._set("", "the retrain could not begin")
                    return
                self._retrain = Retrain(run, plan.before, spec)
                self._set("training")

            self._app.start_training(plan.settings, show=False, begun=begun)

        def failed(message: str) -> None:
            self._set("", message)

        self._queue.submit("plan", lambda _: self._plan(labels, spec, task), planned, failed)

    def try_more(self, labels: Path, spec: str, task: Task) -> None:
        """Find out by short runs what more labels would bring."""
        if not self._may_begin():
            return
        self._tried = ""
        self._set("trying")

        def work(_: Check) -> LearningCurve:
            from nexus_engine.teaching.learning_curve import learning_curve
            from nexus_engine.training.steering import Steering

            self._trying = Steering()
            settings = self._plan(labels, spec, task).settings
            return learning_curve(settings, self._trying, self._note_try)

        def done(curve: LearningCurve) -> None:
            self.curve = curve
            self._set("", curve.sentence)

        def failed(message: str) -> None:
            self._set("", message)

        self._queue.submit("try", work, done, failed)

    def _note_try(self, words: str) -> None:
        self._tried = words

    def close(self, wait_seconds: float) -> None:
        """Before the app ends: let short runs stop, so that they leave nothing on the disk."""
        if self.stop_trying():
            self._queue.wait(wait_seconds)

    def stop_trying(self) -> bool:
        """End the short runs; False if there are none."""
        trying, self._trying = self._trying, None
        if trying is None or not self.is_trying:
            return False
        self._queue.drop("try")
        trying.stop()
        self._set("", "given up")
        return True

    def _set(self, stage: Stage, note: str | None = None) -> None:
        self.stage = stage
        if note is not None:
            self.note = note
        self._changed()

    def tick(self) -> None:
        """Notice the end of the run; called once a second, whichever screen is in front."""
        retrain = self._retrain
        if self.stage == "training" and retrain is not None and not self._app.training:
            if (retrain.run / "result.json").is_file():
                self._compare(retrain)
            else:
                self._set("", "the retrain did not finish; screen 2 says why")
        elif self.stage in ("comparing", "trying"):
            self._changed()

    def _compare(self, retrain: Retrain) -> None:
        self._embedded = 0
        self._set("comparing")
        self._finished(retrain)
        pins = self._app.pins.book

        def work(check: Check) -> Outcome:
            return outcome_of(retrain.run, retrain.before, pins, self._advance, check)

        def done(outcome: Outcome) -> None:
            self.outcome = outcome
            self._set("", _outcome_words(outcome))
            self._app.tell(f"retrained: {self.note}")

        def failed(message: str) -> None:
            self._set("", f"retrained, but not compared: {message}")

        self._queue.submit("compare", work, done, failed)

    def _advance(self, more: int) -> None:
        self._embedded += more

    @property
    def words(self) -> str:
        """What is going on, in a few words; "" before the first retrain."""
        if self.stage in ("planning", "starting"):
            return "the retrain begins"
        if self.stage == "comparing":
            texts = f", {self._embedded:,} texts so far" if self._embedded else ""
            return f"retrained; comparing before and after{texts}"
        if self.stage == "trying":
            return f"what would more labels bring? {self._tried or 'reading'}; Esc gives up"
        if self.stage == "training":
            return _run_words(self._app, self._retrain)
        return self.note


def _run_words(app: Host, retrain: Retrain | None) -> str:
    """How far the run is, from the view of the open run."""
    run = app.open_run
    if run is None or retrain is None or run.source.path != retrain.run:
        return "retraining"
    arm = run.view.arm()
    if not arm.epochs:
        return "retraining: preparing"
    best = f", best dev {correlation(arm.best_score)}" if arm.best_score is not None else ""
    return f"retraining: epoch {arm.epoch} of {arm.epochs}{best}"


def _outcome_words(outcome: Outcome) -> str:
    parts = [f"{len(outcome.right)} verdicts now right, {len(outcome.wrong)} now wrong"]
    if outcome.held_out.total:
        before, after, total = outcome.held_out
        parts.append(f"held out {before} to {after} of {total} right")
    return "; ".join(parts)
