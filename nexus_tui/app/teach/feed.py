"""The items in their order: those left behind, the present one, and those fetched ahead.

Models are asked in a queue's thread, and a few items ahead, so that an answer never waits for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from nexus_tui.app.kit.work_queue import WorkQueue
from nexus_tui.app.teach.asking import Asker, Kind
from nexus_tui.app.teach.items import Item

if TYPE_CHECKING:
    from nexus_engine.labels.verdicts import Verdict

__all__ = ["Feed"]

KINDS: tuple[Kind, ...] = ("search", "pairs")
AHEAD = 3
"""Items of a kind that are fetched before they are needed."""


class Feed:
    """The items of both kinds, of which one kind is asked at a time.

    `prepare` is called with each item before it is shown, `changed` after each change that came
    from the queue, `failed` with a message where the queue's work failed.
    """

    def __init__(
        self,
        queue: WorkQueue,
        prepare: Callable[[Item], None],
        changed: Callable[[], None],
        failed: Callable[[str], None],
    ) -> None:
        self.kind: Kind = "search"
        self.asker: Asker | None = None
        self._queue, self._prepare = queue, prepare
        self._changed, self._failed = changed, failed
        self._now: dict[Kind, Item | None] = dict.fromkeys(KINDS)
        self._ahead: dict[Kind, deque[Item]] = {kind: deque() for kind in KINDS}
        self._behind: list[tuple[Kind, Item]] = []
        self._ended: set[Kind] = set()
        self._fetching: set[Kind] = set()

    @property
    def item(self) -> Item | None:
        """What is asked now; None while it is looked for, or if nothing is left."""
        return self._now[self.kind]

    @property
    def ended(self) -> bool:
        """Whether nothing of the present kind is left to ask."""
        return self.kind in self._ended and self.item is None

    @property
    def lacks_questions(self) -> bool:
        """Whether a question is wanted of texts that hold none: their asker prefers pairs."""
        asker = self.asker
        return (
            self.ended
            and self.kind == "search"
            and asker is not None
            and (asker.kinds[0] == "pairs")
        )

    def clear(self) -> None:
        """Drop every item and the asker."""
        self.asker = None
        for kind in KINDS:
            self._now[kind] = None
            self._ahead[kind].clear()
        self._behind.clear()
        self._ended.clear()
        self._fetching.clear()

    def begin(self, asker: Asker) -> None:
        """Ask what `asker` chooses, after the item that is asked now, if any.

        The first asker of texts also chooses the kind that is asked first.
        """
        is_first, self.asker = self.asker is None and self.item is None, asker
        for kind in KINDS:
            self._ahead[kind].clear()
        self._ended.clear()
        self._fetching.clear()
        if is_first or self.kind not in asker.kinds:
            self.kind = asker.kinds[0]
        self.fetch()

    def turn(self, kind: Kind) -> None:
        """Ask items of another kind, if the data has some."""
        if self.asker is not None and kind in self.asker.kinds:
            self.kind = kind
            self.fetch()

    def fetch(self) -> None:
        """Show the next item if none is shown, and fetch more in the background."""
        kind, asker = self.kind, self.asker
        if self._now[kind] is None and self._ahead[kind]:
            self._show(self._ahead[kind].popleft())
        if asker is None or kind in self._fetching:
            return
        if kind in self._ended or len(self._ahead[kind]) >= AHEAD:
            self._rest(asker)
            return
        self._fetching.add(kind)

        def done(item: Item | None) -> None:
            if asker is not self.asker:  # another one was begun
                return
            self._fetching.discard(kind)
            if item is None:
                self._ended.add(kind)
            elif not self._is_known(kind, item):
                self._ahead[kind].append(item)
            self.fetch()
            self._changed()

        def failed(message: str) -> None:
            self._fetching.discard(kind)
            self._failed(message)

        self._queue.submit(f"ask {kind}", lambda check: asker.next(kind, check), done, failed)

    def _rest(self, asker: Asker) -> None:
        """Let the asker look at more of the texts while nothing is wanted of it."""

        def done(_: None) -> None:
            if asker is self.asker:
                self._ended.clear()  # among more texts there may be more to ask
                self.fetch()

        if not asker.is_complete:
            self._queue.submit("advance", asker.advance, done, self._failed)

    def _is_known(self, kind: Kind, item: Item) -> bool:
        """Whether the item is asked already, or waits to be."""
        others = [self._now[kind], *self._ahead[kind]]
        return any(item.same_as(other) for other in others if other is not None)

    def _show(self, item: Item) -> None:
        self._prepare(item)
        self._now[self.kind] = item

    def go_on(self) -> None:
        """Leave the present item for the next one."""
        item = self.item
        if item is not None:
            self._behind.append((self.kind, item))
        self._now[self.kind] = None
        self.fetch()

    def put_first(self, kind: Kind, item: Item, *, instead: bool = False) -> None:
        """Ask `item` now; the present one comes next, or is dropped where `item` is `instead`."""
        self.kind = kind
        present = self.item
        if present is not None and not instead and not item.same_as(present):
            self._ahead[kind].appendleft(present)
        self._show(item)

    def return_to(self, verdict: Verdict) -> Item | None:
        """Ask the item of `verdict` again; None if it was not asked here."""
        for kind in (self.kind, *KINDS):
            item = self._now[kind]
            if item is not None and item.is_about(verdict):
                self.kind = kind
                return item
        for place in reversed(range(len(self._behind))):
            kind, earlier = self._behind[place]
            if earlier.is_about(verdict):
                del self._behind[place]
                self.put_first(kind, earlier)
                return earlier
        return None
