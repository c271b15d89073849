"""The export that this app is writing or wrote last. It outlives the screen that shows it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from nexus_engine.errors import one_line
from nexus_tui.app.kit.host import Host
from nexus_tui.app.kit.work_queue import WorkQueue
from nexus_tui.charts.run.exporting import SeenStage
from nexus_tui.words.formats import shown_path
from nexus_tui.work.exporting import ExportRequest, Outcome, run_export

__all__ = ["ExportWork", "RunExport"]

RunExport = Callable[
    [ExportRequest, Callable[[str, float], None], Callable[[], bool]], Outcome | None
]
"""Exports to the end, blocking; tells its stages; asks whether it is cancelled."""


class ExportWork:
    """One export at a time, in a thread; `outcome` is that of `request`, once it has ended."""

    def __init__(self, app: Host, run_export: RunExport = run_export) -> None:
        self._app = app
        self._run_export = run_export
        self._queue = WorkQueue(app.call_later, "nexus-export")
        self.request: ExportRequest | None = None
        self.stages: list[SeenStage] = []
        self.outcome: Outcome | None = None
        self.busy = False
        self.cancelling = False
        self.watched: Path | None = None
        """The run whose export a screen shows; the end of any other is told in the corner."""
        self.version = 0
        """Rises when an export begins or ends."""

    def begin(self, request: ExportRequest) -> None:
        """Begin an export, unless one is at work."""
        if self.busy:
            return
        self.request, self.stages, self.outcome = request, [], None
        self.busy, self.cancelling = True, False
        self.version += 1
        self._queue.submit(
            "export",
            lambda _: self._run_export(request, self._note_stage, lambda: self.cancelling),
            self._ended,
            lambda message: self._ended(Outcome(None, message)),
        )

    def cancel(self) -> None:
        """End the export at work; soon after, nothing of it is left."""
        self.cancelling = self.busy

    def forget(self) -> None:
        """Forget an export that has ended."""
        if not self.busy:
            self.request, self.outcome, self.stages = None, None, []
            self.version += 1

    def _note_stage(self, words: str, fraction: float) -> None:
        """Runs in the queue's thread."""
        self.stages.append(SeenStage(words, fraction, time.monotonic()))

    def _ended(self, outcome: Outcome | None) -> None:
        """Keep the outcome, None if the export was cancelled."""
        self.busy = self.cancelling = False
        self.outcome = outcome
        self.version += 1
        if self.request is None or self.watched == self.request.run:
            return
        name = one_line(self.request.run.name, 60)
        if outcome is None:
            self._app.tell(f"the export of {name} was cancelled; nothing of it is left")
        elif outcome.figures is None:
            self._app.tell(f"{name} was not exported: {outcome.error}", "error")
        else:
            self._app.tell(f"{name} is exported to {shown_path(outcome.figures['path'])}")
