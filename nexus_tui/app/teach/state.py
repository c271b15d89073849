"""Teach's state, apart from its screen: the items, the verdicts, and the way between them.

It lives as long as the app, so that a retrain is followed whichever screen is in front. Its methods
run in the UI thread; models and data are used in a queue's thread, and verdicts are written in a
thread for which the next key waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from textual.message_pump import MessagePump

from nexus_engine.errors import NexusError, one_line
from nexus_tui.app.kit.host import Host
from nexus_tui.app.kit.label_book import PairAnswer, PassageAnswer
from nexus_tui.app.kit.work_queue import Check, WorkQueue
from nexus_tui.app.teach.asking import (
    DEMO,
    DEMOS,
    Asker,
    Glance,
    Kind,
    OpenAsker,
    glance,
    open_asker,
)
from nexus_tui.app.teach.feed import Feed
from nexus_tui.app.teach.items import Item, PairItem, SearchItem
from nexus_tui.app.teach.retraining import Retrain, Retraining, Task
from nexus_tui.app.teach.tally import Tally, place_of, said
from nexus_tui.charts.teach.progress import Progress
from nexus_tui.words.formats import correlation

if TYPE_CHECKING:
    from nexus_engine.labels.verdicts import Verdict

__all__ = ["TeachRequest", "TeachState", "teach_of"]

TASKS: dict[Kind, Task] = {"search": "retrieval", "pairs": "pairs"}
"""By kind of item: what a run on its verdicts is for."""
NOTHING_SEEN = Glance(None, None)
FIRST_RETRAIN = 20
"""Verdicts after which a retrain can show something."""


class TeachRequest(NamedTuple):
    """What `nexus teach` was given; None for the default."""

    data: str | None = None
    labels: Path | None = None
    rater: str | None = None


class TeachState:
    """See the module. After a change it calls `changed`.

    A verdict is written before anything else changes. Where the disk refuses, the same item stays,
    and `write_error` says why.
    """

    def __init__(
        self,
        app: Host,
        request: TeachRequest | None = None,
        *,
        open_asker: OpenAsker = open_asker,
    ) -> None:
        self._app = app
        self._open_asker, self._glance = open_asker, glance
        self.model: Path | None = None
        """The folder of the tuned weights that choose; None for the base model."""
        self.queue = WorkQueue(app.call_later, "nexus-teaching")
        self.changed: Callable[[], None] = lambda: None
        """Set by the screen."""
        self.retraining = Retraining(app, lambda: self.changed(), self._retrained)
        self.feed = Feed(self.queue, self._prepare, lambda: self.changed(), self._failed)
        self.spec = (request.data if request else None) or DEMO
        self.has_glanced = threading.Event()
        """Set once the texts were read, or could not be."""
        self.tally = Tally()
        self.last = ""
        """The last answer in words."""
        self.error = ""
        """Why nothing can be asked; empty while something can."""
        self.write_error = ""
        """Why the last verdict was not written; empty once one was."""
        self._is_open = False
        self._judged_at_retrain = 0

    @property
    def item(self) -> Item | None:
        """What is asked now."""
        return self.feed.item

    # Data

    def open(self) -> None:
        """Open the label file and the data, once."""
        if not self._is_open:
            self._is_open = True
            self._app.labels.listen(self._note)
            self.reopen(self.spec)

    def reopen(self, spec: str) -> None:
        """Ask about other data, with the label file that belongs to it."""
        self.spec, self.error = spec, ""
        self.feed.clear()
        self._app.labels.use_demo(spec in DEMOS)
        if self.model is None:
            self._glance_at_texts()
        else:  # it may read texts otherwise, and is in memory
            self._open_asker_again()
        self.changed()

    def _glance_at_texts(self) -> None:
        """Read the verdicts and the texts, and ask what needs no model while that is read."""
        spec, book = self.spec, self._app.labels

        def work(check: Check) -> tuple[tuple[Verdict, ...], Glance]:
            try:
                verdicts = book.open()
                return verdicts, self._glance(spec, book.judged_keys(), check)
            finally:
                self.has_glanced.set()

        def done(result: tuple[tuple[Verdict, ...], Glance]) -> None:
            verdicts, found = result
            self.tally.restart(verdicts)
            if found.item is not None:
                self.feed.put_first("pairs", found.item)
            self._open_asker_again(found)
            self.changed()

        self.queue.submit("open", work, done, self._failed)

    def _open_asker_again(self, seen: Glance = NOTHING_SEEN) -> None:
        """Read the verdicts, the present model, and the texts unless they were `seen`."""
        spec, book = self.spec, self._app.labels
        asked = {seen.item.key} if seen.item else set()

        def work(check: Check) -> tuple[tuple[Verdict, ...], Asker]:
            verdicts = book.open()
            judged = book.judged_keys() | asked
            asker = self._open_asker(spec, self.model, judged, verdicts, check, seen.texts)
            return verdicts, asker

        def done(result: tuple[tuple[Verdict, ...], Asker]) -> None:
            verdicts, asker = result
            if seen.texts is None:
                self.tally.restart(verdicts)
            self.feed.begin(asker)
            self.changed()

        self.queue.submit("open", work, done, self._failed)

    def _failed(self, message: str) -> None:
        self.error = message
        self.changed()

    def _told(self, message: str) -> None:
        self._app.tell(message, "error")

    def _prepare(self, item: Item) -> None:
        """Show what was said already of the passages of a question."""
        if isinstance(item, SearchItem):
            item.marks = self.tally.marks(item.question, [p.text for p in item.passages])

    # What is asked

    def turn(self, kind: Kind) -> None:
        """Ask items of another kind, if the data has some."""
        self.feed.turn(kind)
        self.changed()

    def ask(self, question: str, asked: str | None = None) -> None:
        """Ask about the passages nearest to a question of the user's, before all else.

        `asked` is the question that the user has edited; it is not asked again.
        """
        asker = self.feed.asker
        if asker is None:
            return

        def done(item: SearchItem) -> None:
            if asker is self.feed.asker:
                item.asked = asked
                self.feed.put_first("search", item, instead=asked is not None)
                self.changed()

        self.queue.submit("own", lambda check: asker.ask(question, check), done, self._told)

    def jump(self, wanted: str) -> None:
        """Return to a verdict of this rater: by its number, from 1, or by words of its texts."""
        from nexus_engine.labels.verdicts import PairVerdict

        verdicts = self.tally.standing(self._app.labels.rater)
        place = place_of(wanted, verdicts)
        if place is None:
            self._app.tell("no verdict of yours has this number, or holds these words")
            return
        verdict = verdicts[place]
        words = f"verdict {place + 1} of {len(verdicts)}"
        if isinstance(verdict, PairVerdict):
            item = PairItem(first=verdict.a, second=verdict.b, reason=words, said=said(verdict))
            self.feed.put_first("pairs", item)
            self.changed()
        else:
            self.ask(verdict.question)

    def edit_pair(self, first: str, second: str) -> None:
        """Judge the pair with other texts; it is not asked again as it was."""
        item = self.item
        if isinstance(item, PairItem) and (first, second) != (item.first, item.second):
            item.asked = item.asked or (item.first, item.second)
            item.first, item.second, item.said = first, second, ""
            self.changed()

    def edit_question(self, question: str) -> None:
        """Ask the question in other words; it is not asked again as it was."""
        item = self.item
        if isinstance(item, SearchItem) and question != item.question:
            self.ask(question, item.asked or item.question)

    # Pins

    @property
    def is_pinned(self) -> bool:
        """Whether the present item is pinned."""
        item, book = self.item, self._app.pins.book
        if isinstance(item, PairItem):
            return any(pin.pair == (item.first, item.second) for pin in book.pins)
        return isinstance(item, SearchItem) and item.question in book.questions

    def pin(self) -> None:
        """Pin the present item, or remove its pin."""
        item, shelf, is_pinned = self.item, self._app.pins, self.is_pinned
        if isinstance(item, PairItem):
            pair = item.first, item.second
            shelf.put(shelf.book.without(pair) if is_pinned else shelf.book.with_pin(*pair))
        elif isinstance(item, SearchItem):
            change = shelf.book.without_question if is_pinned else shelf.book.with_question
            shelf.put(change(item.question))
        self.changed()

    # Answers

    async def grade(self, grade: int) -> None:
        """Give the pair a grade, 0..5, and go on."""
        await self._answer_pair(grade=grade)

    async def same(self, same: bool) -> None:
        """Say whether the pair means the same, and go on."""
        await self._answer_pair(same=same)

    async def _answer_pair(
        self, grade: int | None = None, same: bool | None = None, aside: str | None = None
    ) -> None:
        item = self.item
        if isinstance(item, PairItem) and await self._write(
            item.answer(grade=grade, same=same, aside=aside)
        ):
            item.said = self.last
            if item.cosine is not None:  # only now, so that it sways nobody
                self.last += f"; the model says {correlation(item.cosine)}"
            self.feed.go_on()
            self.changed()

    async def mark(self, place: int, relevant: bool) -> None:
        """Say whether the passage at `place` answers the question; the cursor goes on."""
        item = self.item
        if not isinstance(item, SearchItem) or not 0 <= place < len(item.passages):
            return
        if await self._write(item.answer(place, relevant=relevant)):
            item.set_mark(place, "yes" if relevant else "no")
            self.changed()

    async def unsure(self) -> None:
        """Be unsure about the pair, or about the passage under the cursor."""
        item = self.item
        if isinstance(item, PairItem):
            await self._answer_pair(aside="unsure")
        elif (
            isinstance(item, SearchItem)
            and item.passages
            and await self._write(item.answer(item.cursor, aside="unsure"))
        ):
            item.set_mark(item.cursor, "unsure")
            self.changed()

    async def skip(self) -> None:
        """Go on without an answer; the item is not asked again."""
        item = self.item
        if isinstance(item, PairItem):
            await self._answer_pair(aside="skip")
        elif isinstance(item, SearchItem):
            open_places = [place for place, mark in enumerate(item.marks) if not mark]
            if open_places and not await self._write(item.answer(open_places[0], aside="skip")):
                return
            self.feed.go_on()
            self.changed()

    async def next(self) -> None:
        """Go to the next question; without any mark, this one counts as skipped."""
        item = self.item
        if isinstance(item, SearchItem):
            if not any(item.marks):
                await self.skip()
                return
            self.feed.go_on()
            self.changed()

    async def _write(self, answer: PairAnswer | PassageAnswer) -> bool:
        """Write a verdict; whether it is on the disk."""
        try:
            await self._app.labels.write(answer)  # which calls `_note`
        except (NexusError, OSError) as error:
            self._refused(error)
            return False
        self.write_error = ""
        return True

    def _note(self, verdict: Verdict) -> None:
        """Count a verdict that was written, here or on another screen."""
        self.tally.add(verdict, time.monotonic())
        self.last = said(verdict)
        if self.feed.asker is not None:
            self.feed.asker.note(verdict)

    def _refused(self, error: NexusError | OSError) -> None:
        path = self._app.labels.path  # its name is enough, and leaves room for the reason
        self.write_error = one_line(str(error).replace(str(path), path.name), 300)
        self.changed()

    async def undo(self) -> None:
        """Take back the last verdict since the file was opened, and ask its item again."""
        try:
            verdict = await self._app.labels.take_back()
        except (NexusError, OSError) as error:
            self._refused(error)
            return
        if verdict is None:
            self._app.tell("nothing is left to take back since the label file was opened")
            return
        self.tally.take_back(verdict)
        self.write_error = self.last = ""
        item = self.feed.return_to(verdict)
        if isinstance(item, SearchItem):
            self._prepare(item)
            item.point_at(verdict)
        elif item is not None:
            item.said = ""
        self.changed()

    # Retrain

    def retrain(self) -> None:
        """Train on the verdicts so far, in the background."""
        self._judged_at_retrain = self.tally.judged
        self.retraining.begin(self._app.labels.path, self.spec, TASKS[self.feed.kind])

    def try_more(self) -> None:
        """Find out by short runs what more labels would bring."""
        self.retraining.try_more(self._app.labels.path, self.spec, TASKS[self.feed.kind])

    def _retrained(self, retrain: Retrain) -> None:
        """Let the new weights choose what is asked; the present items stay until they have."""
        self.model = retrain.weights
        if retrain.spec == self.spec:
            self._open_asker_again()

    # Progress

    def progress(self, retrain_key: str) -> Progress:
        """The counts, the pace, and when to press `retrain_key`."""
        return self.tally.progress(self._advice(retrain_key))

    def _advice(self, retrain_key: str) -> str:
        judged, at_retrain = self.tally.judged, self._judged_at_retrain
        if judged < FIRST_RETRAIN:
            return f"{FIRST_RETRAIN - judged} more to a first retrain"
        if at_retrain:
            return f"{judged - at_retrain} new since the retrain"
        return f"{retrain_key} retrains: enough for a first time"


class _HoldsTeach(Protocol):
    teach: TeachState


def teach_of(node: MessagePump) -> TeachState:
    """Teach's state in the app that `node`, a screen or widget, belongs to."""
    return cast("_HoldsTeach", node.app).teach
