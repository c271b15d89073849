"""What the playground knows, apart from its screen: model, present pair, history, pins, results.

It lives as long as the app, so that pins are scored at each checkpoint whatever screen is in
front. Its methods belong to the UI thread; model work and disk work happen in two queues, one for
short questions and one for long ones, and come back as calls of `changed`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from textual.message_pump import MessagePump

from nexus_engine.errors import ConfigError, RunError
from nexus_engine.runs.folder import find_run
from nexus_tui.app.kit.host import Host
from nexus_tui.app.playground.pinned import PinBook, pins_file, read_pins, write_pins
from nexus_tui.app.playground.queried_model import BASE_ALONE, QueriedModel, Stamp, stamp_of
from nexus_tui.app.playground.work_queue import Check, WorkQueue

if TYPE_CHECKING:
    from nexus_engine.data import Pairs
    from nexus_engine.scoring.querying import ModelPair, PairCosines, Querier

__all__ = ["PlaygroundState", "playground_of"]

HISTORY = 200
REST_SECONDS = 0.15


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Answer:
    """A pair with its cosines by the weights of `epoch` of `model`. Without a telling repr."""

    first: str
    second: str
    base: float
    tuned: float | None
    model: str
    epoch: int | None

    @property
    def pair(self) -> tuple[str, str]:
        """The two sentences."""
        return self.first, self.second

    @property
    def difference(self) -> float | None:
        """Tuned minus base."""
        return None if self.tuned is None else self.tuned - self.base


class PlaygroundState:
    """See the module. `changed(what)` is called after each change: answer, model, pins, history."""

    def __init__(self, app: Host) -> None:
        self._app = app
        self.changed: Callable[[str], None] = lambda _: None
        """Set by the screen."""
        self.quick = WorkQueue(app.call_later, "nexus-queries")
        self.long = WorkQueue(app.call_later, "nexus-scoring")
        self._querier: Querier | None = None
        self._picked: QueriedModel | None = None
        self._picked_beside: object = None
        self._stamp: Stamp | None = None
        self.rest_seconds = REST_SECONDS
        """How long typing rests before a pair is scored."""
        self.model = BASE_ALONE
        self.opened = False
        """Whether the playground was ever in front."""
        self.ready = False
        """Whether a model has answered yet: the first answer waits for torch and the weights."""
        self.epoch: int | None = None
        self.dev_spearman: float | None = None
        self.error = ""
        """Why the last question about a pair has no answer."""
        self.answer: Answer | None = None
        self.wanted_pair: tuple[str, str] | None = None
        """The pair that is to be answered, or was."""
        self.history: deque[Answer] = deque(maxlen=HISTORY)
        self._keep: tuple[str, str] | None = None
        self.book = PinBook()
        self.pin_cosines: dict[tuple[str, str], PairCosines] = {}
        self._pins_read = False
        self._noted: set[Path] = set()
        """Runs whose audit files have a line for what is typed and pinned."""

    # The model

    def wanted(self) -> QueriedModel:
        """What is to be asked: the user's pick; else the open run; else what Runs points at."""
        run = self._app.open_run
        beside = None if run is None else run.source.path
        if self._picked is not None and self._picked_beside == beside:
            return self._picked
        self._picked = None
        if run is not None:
            own = QueriedModel(run.source.name, run.source.path)
            if stamp_of(own) is not None:
                return own
        wanted_pair = self._app.pointed_run
        if wanted_pair:
            try:
                folder = find_run(wanted_pair)
            except (RunError, ConfigError):
                return BASE_ALONE
            pointed = QueriedModel(folder.name, folder.path)
            if stamp_of(pointed) is not None:
                return pointed
        return BASE_ALONE

    def pick(self, model: QueriedModel) -> None:
        """Ask this model from now on, until another run is opened."""
        run = self._app.open_run
        self._picked = model
        self._picked_beside = None if run is None else run.source.path
        self.follow_weights()

    def follow_weights(self) -> None:
        """See whether another model, or newer weights, are to be asked now; ask again then."""
        model = self.wanted()
        stamp = stamp_of(model)
        if model == self.model and stamp == self._stamp:
            return
        if model != self.model:
            self.pin_cosines = {}
        self.epoch = self.dev_spearman = None
        self.model, self._stamp = model, stamp
        self.changed("model")
        if self.wanted_pair is not None:
            self.score_pair(*self.wanted_pair)
        self.score_pins()

    @property
    def stale(self) -> Stamp | None:
        """Changes with the weights: results that keep it can tell that they are older."""
        return self._stamp

    def models(self, model: QueriedModel) -> ModelPair:
        """The models; in a queue's thread: torch and the weights may have to be loaded."""
        from nexus_engine.scoring.querying import Querier

        if self._querier is None:
            self._querier = Querier()
        return self._querier.models(model.best)

    def note(
        self, model: QueriedModel, use: str, data: Pairs | Sequence[str], *, typed: bool = False
    ) -> None:
        """From a queue's thread: note in the run's audit file that its model is used on `data`."""
        if model.run is None:
            return
        from nexus_tui.work.uses import note_uses

        for words in note_uses([model.run], use, data, typed=typed):
            self._app.call_later(self._warn, words)

    def _note_typed(self, model: QueriedModel, pairs: list[tuple[str, str]]) -> None:
        """From the queue's thread: one line for each run, not for each word that is typed."""
        if model.run is not None and model.run not in self._noted:
            self._noted.add(model.run)
            self.note(model, "playground", [first for first, _ in pairs], typed=True)

    # The present pair

    def score_pair(self, first: str, second: str) -> None:
        """Have the pair answered; an earlier one is no longer wanted."""
        self.wanted_pair = (first, second)
        model = self.model

        def work(check: Check) -> tuple[PairCosines, ModelPair]:
            from nexus_engine.scoring.querying import score

            models = self.models(model)
            check()
            self._note_typed(model, [(first, second)])
            return score(models, [(first, second)], check=check)[0], models

        def done(found: tuple[PairCosines, ModelPair]) -> None:
            cosines, models = found
            self._met(models)
            self.answer = Answer(
                first=first,
                second=second,
                base=cosines.base,
                tuned=cosines.tuned,
                model=model.name,
                epoch=self.epoch,
            )
            self.error = ""
            if self._keep == (first, second):
                self._store(self.answer)
            self.changed("answer")

        def failed(words: str) -> None:
            self.error = words
            self.changed("answer")

        self.quick.submit("pair", work, done, failed)

    def drop_pair(self) -> None:
        """There is no pair any more."""
        self.quick.drop("pair")
        self.wanted_pair = self.answer = self._keep = None
        self.error = ""
        self.changed("answer")

    def _met(self, models: ModelPair) -> None:
        """A model has answered: its weights are known now."""
        self.ready = True
        tuned = models.tuned
        facts = (None, None) if tuned is None else (tuned.epoch, tuned.dev_spearman)
        if facts != (self.epoch, self.dev_spearman):
            self.epoch, self.dev_spearman = facts
        self.changed("model")

    def keep(self) -> None:
        """Put the present pair into the history, when it is answered."""
        self._keep = self.wanted_pair
        if self.answer is not None and self.answer.pair == self.wanted_pair:
            self._store(self.answer)

    def _store(self, answer: Answer) -> None:
        self._keep = None
        others = [one for one in self.history if one.pair != answer.pair]
        self.history = deque([answer, *others], maxlen=HISTORY)
        self.changed("history")

    # Pins

    def read_pins(self) -> None:
        """Read the pins from disk, once."""
        if self._pins_read:
            return
        self._pins_read = True

        def done(book: PinBook) -> None:
            for pin in reversed(self.book.pins):  # pinned meanwhile
                book = book.with_pin(pin.first, pin.second)
            self.book = book
            self.changed("pins")
            self.score_pins()

        self.quick.submit("read pins", lambda _: read_pins(pins_file()), done, self._warn)

    def pin(self, first: str, second: str) -> None:
        """Pin a pair."""
        self._take(self.book.with_pin(first, second))
        self.score_pins()

    def unpin(self, pair: tuple[str, str]) -> None:
        """Take a pin away."""
        self.pin_cosines.pop(pair, None)
        self._take(self.book.without(pair))

    def switch_pins(self) -> None:
        """Show and score pins, or let them rest."""
        self._take(PinBook(not self.book.on, self.book.pins))
        self.score_pins()

    def _take(self, book: PinBook) -> None:
        if book == self.book:
            return
        self.book = book
        self.changed("pins")
        self.quick.submit(
            "save pins", lambda _: write_pins(pins_file(), book), _nothing, self._warn
        )

    def _warn(self, words: str) -> None:
        self._app.tell(words, "warning")

    def score_pins(self) -> None:
        """Score every pin by the weights of now, and note it on the pins' paths."""
        pairs = [pin.pair for pin in self.book.pins]
        if not pairs or not self.book.on:
            return
        model = self.model

        def work(check: Check) -> tuple[list[PairCosines], ModelPair]:
            from nexus_engine.scoring.querying import score

            models = self.models(model)
            self._note_typed(model, pairs)
            return score(models, pairs, check=check), models

        def done(found: tuple[list[PairCosines], ModelPair]) -> None:
            cosines, models = found
            self._met(models)
            self.pin_cosines = dict(zip(pairs, cosines, strict=True))
            if model.run is not None and models.tuned is not None:
                assert models.tuned.epoch is not None
                tuned = {p: c.tuned for p, c in self.pin_cosines.items() if c.tuned is not None}
                self._take(self.book.scored(str(model.run), models.tuned.epoch, tuned))
            self.changed("pins")

        self.quick.submit("pins", work, done, self._warn)

    def path_of(self, pair: tuple[str, str]) -> Sequence[float]:
        """A pin's cosines over the present run's checkpoints, oldest first."""
        if self.model.run is None:
            return ()
        for pin in self.book.pins:
            if pin.pair == pair:
                return [cosine for _, cosine in pin.paths.get(str(self.model.run), ())]
        return ()

    # Life

    def tick(self) -> None:
        """Once a second, whatever screen is in front: follow the weights.

        Before the playground was ever opened, only a live run is followed, for the pins' sake.
        """
        run = self._app.open_run
        live = run is not None and run.view.ended is None
        if not self.opened:
            if not live:
                return
            self.read_pins()
        if self.opened or (self.book.pins and self.book.on):
            self.follow_weights()


def _nothing(_: object) -> None:
    """A write needs no answer."""


class _HoldsPlayground(Protocol):
    playground: PlaygroundState


def playground_of(node: MessagePump) -> PlaygroundState:
    """The playground's state in the app that `node`, a screen or widget, belongs to."""
    return cast("_HoldsPlayground", node.app).playground
