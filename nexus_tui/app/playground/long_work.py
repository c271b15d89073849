"""A long question as the screen sees it: how far it is, what came of it, why it failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from nexus_tui.app.playground.queried_model import QueriedModel, Stamp
from nexus_tui.app.playground.state import PlaygroundState
from nexus_tui.app.playground.work_queue import Check

__all__ = ["LongWork"]

Result = TypeVar("Result")


class LongWork:
    """Base of `ManyPairs` and `CorpusSearch`: one piece of work at a time in the long queue."""

    kind = ""

    def __init__(self, playground: PlaygroundState, changed: Callable[[], None]) -> None:
        self.playground = playground
        self.changed = changed
        self.doing = ""
        """What is being done, in words; empty when nothing is."""
        self.done = 0
        self.total = 0
        self.trouble = ""
        self.model_name = ""
        self.epoch: int | None = None
        self._model: QueriedModel | None = None
        self._stamp: Stamp | None = None

    @property
    def stale(self) -> bool:
        """Whether the result is of another model, or of older weights, than would be asked now."""
        if self._model is None:
            return False
        return (self._model, self._stamp) != (self.playground.model, self.playground.stale)

    def begin(
        self, words: str, work: Callable[[Check], Result], done: Callable[[Result], None]
    ) -> None:
        """Do `work` in the queue; `done` in the UI thread when it is wanted still."""
        self.doing, self.trouble, self.done, self.total = words, "", 0, 0

        def ended(result: Result) -> None:
            self.doing = ""
            done(result)
            self.changed()

        def failed(words: str) -> None:
            self.doing, self.trouble = "", words
            self.changed()

        self.playground.long.submit(self.kind, work, ended, failed)
        self.changed()

    def expect(self, total: int) -> None:
        """From the queue's thread: so many sentences are to be embedded."""
        self.done, self.total = 0, total

    def advance(self, more: int) -> None:
        """From the queue's thread: so many more are."""
        self.done += more

    def answered_by(self, model: QueriedModel, stamp: Stamp | None, epoch: int | None) -> None:
        """Note whose answer the result is."""
        self._model, self._stamp = model, stamp
        self.model_name, self.epoch = model.name, epoch

    def cancel(self) -> bool:
        """Give up what is being done; whether there was anything."""
        if not self.doing:
            return False
        self.playground.long.drop(self.kind)
        self.doing, self.trouble = "", "given up"
        self.changed()
        return True
