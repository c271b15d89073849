"""The playground's state, apart from its screen: model, present pair, history, pins.

It lives as long as the app, so that pins are scored at each checkpoint whichever screen is in
front. Its methods run in the UI thread. Model work and disk work run in two queues, one for short
jobs and one for long ones, and report by calls of `changed`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from textual.message_pump import MessagePump

from nexus_engine.errors import ConfigError, RunError
from nexus_engine.runs.folder import find_run
from nexus_engine.scores import Metric
from nexus_tui.app.kit.host import Host
from nexus_tui.app.kit.pin_shelf import PinShelf
from nexus_tui.app.kit.pinned import PinBook
from nexus_tui.app.kit.work_queue import Check, WorkQueue
from nexus_tui.app.playground.queried_model import BASE_ALONE, QueriedModel, Stamp, stamp_of
from nexus_tui.work.model_data import DataChoice, own_data

if TYPE_CHECKING:
    from nexus_engine.data import Pairs
    from nexus_engine.scoring.querying import ModelPair, PairCosines, Querier

__all__ = ["PlaygroundState", "playground_of"]

MAX_HISTORY = 200
REST_SECONDS = 0.15


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Answer:
    """A pair and its cosines with the weights of `epoch` of `model`.

    It has no repr, so that no sentence reaches a log.
    """

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
    """See the module.

    After a change it calls `changed` with answer, data, model, pins or history.
    """

    def __init__(self, app: Host) -> None:
        self._app = app
        self.changed: Callable[[str], None] = lambda _: None
        """Set by the screen."""
        self.quick = WorkQueue(app.call_later, "nexus-queries")
        self.long = WorkQueue(app.call_later, "nexus-scoring")
        self._querier: Querier | None = None
        self._picked: QueriedModel | None = None
        self._picked_with: object = None
        self._stamp: Stamp | None = None
        self.rest_seconds = REST_SECONDS
        """Seconds without typing before a pair is scored."""
        self.model = BASE_ALONE
        self.own_data: DataChoice | None = None
        """The data that the queried run was trained on; None for the base model alone."""
        self.opened = False
        """Whether the playground has been opened."""
        self.ready = False
        """Whether a model has answered yet; the first answer waits for torch and the weights."""
        self.epoch: int | None = None
        self.dev_score: float | None = None
        self.metric: Metric | None = None
        self.error = ""
        """Why the last pair could not be scored; empty if it could."""
        self.answer: Answer | None = None
        self.wanted_pair: tuple[str, str] | None = None
        """The pair that is being scored, or was scored last."""
        self.history: deque[Answer] = deque(maxlen=MAX_HISTORY)
        self._pair_to_keep: tuple[str, str] | None = None
        self.shelf = PinShelf(self.quick, self._warn)
        self.shelf.listen(lambda: self.changed("pins"))
        self.pin_cosines: dict[tuple[str, str], PairCosines] = {}
        self._audited: set[Path] = set()
        """Runs whose audit file already has a line for typed and pinned pairs."""

    # The model

    def wanted(self) -> QueriedModel:
        """The model to query: the user's pick, else the open run, else the run selected in Runs."""
        run = self._app.open_run
        open_path = None if run is None else run.source.path
        if self._picked is not None and self._picked_with == open_path:
            return self._picked
        self._picked = None
        if run is not None:
            open_model = QueriedModel(run.source.name, run.source.path)
            if stamp_of(open_model) is not None:
                return open_model
        pointed_run = self._app.pointed_run
        if pointed_run:
            try:
                folder = find_run(pointed_run)
            except (RunError, ConfigError):
                return BASE_ALONE
            pointed_model = QueriedModel(folder.name, folder.path)
            if stamp_of(pointed_model) is not None:
                return pointed_model
        return BASE_ALONE

    def pick(self, model: QueriedModel) -> None:
        """Query this model until another run is opened."""
        run = self._app.open_run
        self._picked = model
        self._picked_with = None if run is None else run.source.path
        self.follow_weights()

    def follow_weights(self) -> None:
        """Score the pair and the pins again if the model to query, or its weights, have changed."""
        model = self.wanted()
        stamp = stamp_of(model)
        if model == self.model and stamp == self._stamp:
            return
        if model != self.model:
            self.pin_cosines = {}
        self.epoch = self.dev_score = self.metric = None
        self.model, self._stamp = model, stamp
        self.changed("model")
        self._read_own_data()
        if self.wanted_pair is not None:
            self.score_pair(*self.wanted_pair)
        self.score_pins()

    def _read_own_data(self) -> None:
        model = self.model

        def done(data: DataChoice | None) -> None:
            if model == self.model:
                self.own_data = data
                self.changed("data")

        def work(_: Check) -> DataChoice | None:
            return None if model.run is None else own_data(str(model.run))

        self.quick.submit("own data", work, done, _nothing)

    @property
    def stamp(self) -> Stamp | None:
        """The stamp of the present weights, by which results recognise that they are stale."""
        return self._stamp

    def models(self, model: QueriedModel) -> ModelPair:
        """The base and the tuned model. Runs in a queue's thread: it may load torch and weights."""
        from nexus_engine.scoring.querying import Querier

        if self._querier is None:
            self._querier = Querier()
        return self._querier.models(model.best)

    def note(
        self, model: QueriedModel, use: str, data: Pairs | Sequence[str], *, typed: bool = False
    ) -> None:
        """Note in the run's audit file that its model is used on `data`; in a queue's thread."""
        if model.run is None:
            return
        from nexus_tui.work.uses import note_uses

        for message in note_uses([model.run], use, data, typed=typed):
            self._app.call_later(self._warn, message)

    def note_index(self, model: QueriedModel, passages: int) -> None:
        """The same for an index of `passages` passages; in a queue's thread."""
        if model.run is None:
            return
        from nexus_tui.work.uses import note_index_use

        for message in note_index_use([model.run], "search", passages):
            self._app.call_later(self._warn, message)

    def _note_typed(self, model: QueriedModel, pairs: list[tuple[str, str]]) -> None:
        """Note typed pairs, once for each run and not for each word. Runs in the queue's thread."""
        if model.run is not None and model.run not in self._audited:
            self._audited.add(model.run)
            self.note(model, "playground", [first for first, _ in pairs], typed=True)

    # The present pair

    def score_pair(self, first: str, second: str) -> None:
        """Score the pair; it replaces an earlier one that is still waiting."""
        self.wanted_pair = (first, second)
        model = self.model

        def work(check: Check) -> tuple[PairCosines, ModelPair]:
            from nexus_engine.scoring.querying import score

            models = self.models(model)
            check()
            self._note_typed(model, [(first, second)])
            return score(models, [(first, second)], check=check)[0], models

        def done(result: tuple[PairCosines, ModelPair]) -> None:
            cosines, models = result
            self._model_answered(models)
            self.answer = Answer(
                first=first,
                second=second,
                base=cosines.base,
                tuned=cosines.tuned,
                model=model.name,
                epoch=self.epoch,
            )
            self.error = ""
            if self._pair_to_keep == (first, second):
                self._store(self.answer)
            self.changed("answer")

        def failed(message: str) -> None:
            self.error = message
            self.changed("answer")

        self.quick.submit("pair", work, done, failed)

    def drop_pair(self) -> None:
        """Clear the present pair and its answer."""
        self.quick.drop("pair")
        self.wanted_pair = self.answer = self._pair_to_keep = None
        self.error = ""
        self.changed("answer")

    def _model_answered(self, models: ModelPair) -> None:
        """Take the epoch and score of the weights that answered."""
        self.ready = True
        tuned = models.tuned
        self.epoch = None if tuned is None else tuned.epoch
        self.dev_score = None if tuned is None else tuned.dev_score
        self.metric = None if tuned is None else tuned.metric
        self.changed("model")

    def keep(self) -> None:
        """Put the present pair into the history, as soon as it is scored."""
        self._pair_to_keep = self.wanted_pair
        if self.answer is not None and self.answer.pair == self.wanted_pair:
            self._store(self.answer)

    def _store(self, answer: Answer) -> None:
        self._pair_to_keep = None
        others = [kept for kept in self.history if kept.pair != answer.pair]
        self.history = deque([answer, *others], maxlen=MAX_HISTORY)
        self.changed("history")

    # Pins

    @property
    def book(self) -> PinBook:
        """The pins."""
        return self.shelf.book

    def read_pins(self) -> None:
        """Read the pins from disk, once, and score them."""
        self.shelf.read(self.score_pins)

    def pin(self, first: str, second: str) -> None:
        """Pin a pair."""
        self.shelf.put(self.book.with_pin(first, second))
        self.score_pins()

    def unpin(self, pair: tuple[str, str]) -> None:
        """Remove a pin."""
        self.pin_cosines.pop(pair, None)
        self.shelf.put(self.book.without(pair))

    def switch_pins(self) -> None:
        """Switch showing and scoring of pins on or off."""
        self.shelf.put(replace(self.book, on=not self.book.on))
        self.score_pins()

    def _warn(self, message: str) -> None:
        self._app.tell(message, "warning")

    def score_pins(self) -> None:
        """Score every pin with the present weights and add the cosine to its path."""
        pairs = [pin.pair for pin in self.book.pins]
        if not pairs or not self.book.on:
            return
        model = self.model

        def work(check: Check) -> tuple[list[PairCosines], ModelPair]:
            from nexus_engine.scoring.querying import score

            models = self.models(model)
            self._note_typed(model, pairs)
            return score(models, pairs, check=check), models

        def done(result: tuple[list[PairCosines], ModelPair]) -> None:
            cosines, models = result
            self._model_answered(models)
            self.pin_cosines = dict(zip(pairs, cosines, strict=True))
            if model.run is not None and models.tuned is not None:
                assert models.tuned.epoch is not None
                tuned = {
                    pair: scored.tuned
                    for pair, scored in self.pin_cosines.items()
                    if scored.tuned is not None
                }
                self.shelf.put(self.book.scored(str(model.run), models.tuned.epoch, tuned))
            self.changed("pins")

        self.quick.submit("pins", work, done, self._warn)

    def path_of(self, pair: tuple[str, str]) -> Sequence[float]:
        """A pin's cosines over the checkpoints of the queried run, oldest first."""
        if self.model.run is None:
            return ()
        for pin in self.book.pins:
            if pin.pair == pair:
                return [cosine for _, cosine in pin.paths.get(str(self.model.run), ())]
        return ()

    # Ticks

    def tick(self) -> None:
        """Follow the weights; called once a second, whichever screen is in front.

        Until the playground has been opened, it follows only a live run, to score the pins.
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
    """Ignore the result of a write."""


class _HoldsPlayground(Protocol):
    playground: PlaygroundState


def playground_of(node: MessagePump) -> PlaygroundState:
    """The playground's state in the app that `node`, a screen or widget, belongs to."""
    return cast("_HoldsPlayground", node.app).playground
