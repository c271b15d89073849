"""Long work as the screen sees it: its progress, the origin of its result, or its error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from nexus_tui.app.kit.work_queue import Check
from nexus_tui.app.playground.queried_model import QueriedModel, Stamp
from nexus_tui.app.playground.state import PlaygroundState

__all__ = ["LongWork"]

Result = TypeVar("Result")


class LongWork:
    """Base of `ManyPairs` and `CorpusSearch`: one job at a time in the long queue."""

    kind = ""

    def __init__(self, playground: PlaygroundState, changed: Callable[[], None]) -> None:
        self.playground = playground
        self.changed = changed
        self.doing = ""
        """The present job in words; empty when idle."""
        self.done = 0
        self.total = 0
        self.error = ""
        self.model_name = ""
        self.epoch: int | None = None
        self._model: QueriedModel | None = None
        self._stamp: Stamp | None = None

    @property
    def words_of_job(self) -> str:
        """What the line of progress says."""
        return self.doing

    @property
    def stale(self) -> bool:
        """Whether the result comes from another model or from older weights."""
        if self._model is None:
            return False
        return (self._model, self._stamp) != (self.playground.model, self.playground.stamp)

    def begin(
        self, words: str, work: Callable[[Check], Result], done: Callable[[Result], None]
    ) -> None:
        """Run `work` in the queue, then `done` in the UI thread unless the job was dropped."""
        self.doing, self.error, self.done, self.total = words, "", 0, 0

        def succeeded(result: Result) -> None:
            self.doing = ""
            done(result)
            self.changed()

        def failed(message: str) -> None:
            self.doing, self.error = "", message
            self.changed()

        self.playground.long.submit(self.kind, work, succeeded, failed)
        self.changed()

    def expect(self, total: int) -> None:
        """Set the number of sentences to embed. Runs in the queue's thread."""
        self.done, self.total = 0, total

    def advance(self, more: int) -> None:
        """Count `more` embedded sentences. Runs in the queue's thread."""
        self.done += more

    def note_origin(self, model: QueriedModel, stamp: Stamp | None, epoch: int | None) -> None:
        """Note the model and weights from which the result comes."""
        self._model, self._stamp = model, stamp
        self.model_name, self.epoch = model.name, epoch

    def cancel(self) -> bool:
        """Cancel the present job; True if there was one."""
        if not self.doing:
            return False
        self.playground.long.drop(self.kind)
        self.doing, self.error = "", "given up"
        self.changed()
        return True
