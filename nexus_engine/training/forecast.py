"""How long a run will take and how much memory, from a short measured probe of the run itself.

The probe reads the data, tokenises it and builds the model as the run will, then makes a few real
optimizer steps, the longest batch among them, and embeds an even sample of the sentences, all on a
throwaway copy; nothing is written. What is measured is cost by token: the rest of the run is that
cost times the tokens that its epochs, evaluations and controls will see.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import torch

from nexus_engine.config import Settings
from nexus_engine.errors import DataError
from nexus_engine.model.base_model import BaseModel
from nexus_engine.model.regimes import build_model
from nexus_engine.model.sentence_model import SentenceModel
from nexus_engine.model.tokens import Rows
from nexus_engine.scoring.corpus import Corpus, PairRows
from nexus_engine.scoring.cut_texts import corpus_notes, refuse_indistinct
from nexus_engine.scoring.direction import ask_direction
from nexus_engine.scoring.evaluation import TOKENS_PER_FORWARD, Measured, embed_all, pair_cosines
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.arm.control_arms import control_specs
from nexus_engine.training.arm.snapshots import BestWeights
from nexus_engine.training.arm.spec import ArmSpec
from nexus_engine.training.arm.state import state_of
from nexus_engine.training.hardware import Hardware, peak_rss_mb, rss_mb
from nexus_engine.training.inputs import open_inputs, tokenise, untrained

__all__ = ["Forecast", "forecast"]

STEPS = 8
"""Steps that are timed with each number of sets, after those that warm up."""
WARM_STEPS = 8
WARM = 0.8
"""Steps warm up until one takes more than this share of the one before, and so many at most: a cold
disk cache makes the first ones of a process many times slower."""
SENTENCES = 256
"""Sentences that are embedded to time an evaluation."""
PARTS = 4
"""In so many parts. Of parts, as of steps, the median counts: another program's work in one of them
does not stand for the whole run."""

GROWTH_STEPS = 400
"""Steps after which memory grows no more: the stores of kernels are full then."""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a run will cost, and what that was measured on.

    `seconds` are those from its start to its result, as `run_finished` counts `total_seconds`;
    `train_seconds`, a part of them, those of the run proper (without controls). `peak_rss_mb` is
    the most resident memory. A run that ends by stall may end sooner. `steps` are those of the run
    proper, `arms` counts it and its controls. The settings are those that the data left of what was
    asked. `questions` are those that the run would ask before its first step. `notes` are
    what was found in the data, and what the user should know of its texts, a line each; that the
    run will be refused for them is one.
    """

    data: str
    tune: str
    train_pairs: int
    dev_pairs: int
    test_pairs: int
    epochs: int
    epochs_per_pass: int
    batch_size: int
    lr: float
    dendrite_lr: float
    steps: int
    arms: int
    switches: int
    params_added: int
    params_base: int
    seconds: float
    train_seconds: float
    evaluate_seconds: float
    prepare_seconds: float
    peak_rss_mb: float
    pairs_per_second: float
    device: str
    precision: str
    threads: int
    probe_steps: int
    probe_sentences: int
    probe_seconds: float
    questions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class _Costs(NamedTuple):
    """Seconds a token: of a training step, of an evaluation, and of the encoder alone."""

    step: float
    embed: float
    encode: float


def forecast(settings: Settings) -> Forecast:
    """Probe the run that `settings` ask for.

    Raises:
        NexusError: as the run itself would: data, model or settings that cannot be used.
    """
    begun = time.perf_counter()
    inputs = open_inputs(settings)
    hardware, base, data = inputs
    start = untrained(settings, base)
    params_base = start.parameters
    corpus = tokenise(inputs)
    notes = (*data.notes, *_text_notes(corpus))
    main = start.plan(settings, len(corpus.train))
    settings = main.settings
    prepared = time.perf_counter() - begun
    questions = [*data.questions, *_direction(start.model, corpus, hardware)]
    del start
    switches = _switch_epochs(main)
    arms = [main]
    if settings.control:
        arms += control_specs(main, switches, settings.epochs)
    probes = [_Probe(spec, base, corpus, hardware) for spec in arms]
    steps = len(probes[0].batches)
    tokens = _Tokens(corpus)
    train, evaluate = 0.0, 0.0
    main_train = 0.0
    added = 0
    encode = 0.0
    peak = peak_rss_mb()
    for probe in probes:
        first, last = probe.measure()
        encode = encode or first.encode
        made = _train_tokens(probe, first, last, switches)
        judged = probe.spec.epochs * tokens.each_epoch * last.embed + tokens.test * last.embed
        if probe.featured:
            # The encoder runs once over every sentence; from then on only the adapter does.
            made += tokens.all * encode if settings.tune != "adapter" else 0.0
        train, evaluate = train + made, evaluate + judged
        if probe.spec.name == "main":
            main_train, added = made + judged, probe.added
        peak = max(peak, probe.peak)
        probe.release()
    once = tokens.all if settings.tune == "adapter" else tokens.each_epoch + tokens.test
    baseline = once * encode
    return Forecast(
        data=data.name,
        tune=settings.tune,
        train_pairs=len(corpus.train),
        dev_pairs=len(corpus.dev),
        test_pairs=len(corpus.test),
        epochs=settings.epochs,
        epochs_per_pass=settings.epochs_per_pass,
        batch_size=settings.batch_size,
        lr=settings.lr,
        dendrite_lr=settings.dendrite_lr,
        steps=steps * settings.epochs,
        arms=len(arms),
        switches=len(switches) if settings.dendrites else 0,
        params_added=added,
        params_base=params_base,
        seconds=prepared + baseline + train + evaluate,
        train_seconds=main_train,
        evaluate_seconds=evaluate + baseline,
        prepare_seconds=prepared,
        peak_rss_mb=peak,
        pairs_per_second=len(corpus.train)
        / settings.epochs_per_pass
        / max(probes[0].epoch_seconds, 1e-9),
        device=hardware.device.type,
        precision=hardware.precision,
        threads=hardware.threads,
        probe_steps=sum(probe.steps_made for probe in probes),
        probe_sentences=sum(probe.embedded for probe in probes),
        probe_seconds=time.perf_counter() - begun,
        questions=tuple(questions),
        notes=notes,
    )


def _direction(model: SentenceModel, corpus: Corpus, hardware: Hardware) -> list[str]:
    """The question whether the scores run the other way, as the run would ask it."""
    model.to(hardware.device).eval()
    store = corpus.store
    question = ask_direction(
        lambda pairs: pair_cosines(lambda rows: model.embed(store, rows), store, pairs), corpus
    )
    return [] if question is None else [question]


def _text_notes(corpus: Corpus) -> tuple[str, ...]:
    notes = corpus_notes(corpus)
    try:
        refuse_indistinct(corpus.store, corpus.dev, "dev")
    except DataError as error:
        notes.append(f"the run will be refused: {error}")
    return tuple(notes)


def _switch_epochs(spec: ArmSpec) -> tuple[int, ...]:
    """After which epochs switches will be made; evenly spread where each follows a stall."""
    plan = spec.plan
    if plan.switch_epochs is not None:
        return plan.switch_epochs[: plan.switches]
    if not plan.switches:
        return ()
    gap = max(1, (plan.epochs - plan.warmup_epochs) // (plan.switches + 1))
    epochs = [plan.warmup_epochs + gap * number for number in range(plan.switches)]
    if not plan.trains_alone:
        epochs[0] = 0  # the first set grows at the start, whatever the warm-up
    return tuple(epoch for epoch in epochs if epoch < plan.epochs)


class _Tokens:
    """Tokens that an inference pass sees: each distinct sentence once."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self.dev = self._of(corpus.dev)
        self.guard = self._of(corpus.guard)
        self.test = self._of(corpus.test)
        self.each_epoch = self.dev + self.guard
        self.all = int(corpus.store.lengths.sum())

    def _of(self, pairs: PairRows) -> int:
        rows = np.unique(np.concatenate([pairs.first, pairs.second]))
        return int(self._corpus.store.lengths[rows].sum())


def _train_tokens(probe: _Probe, first: _Costs, last: _Costs, switches: Sequence[int]) -> float:
    """Seconds of an arm's steps: its cost grows with each set, from the first's to the last's."""
    total = 0.0
    sets = max(1, probe.sets)
    for epoch in range(1, probe.spec.epochs + 1):
        grown = min(sets, max(1, sum(1 for after in switches if after < epoch)))
        share = (grown - 1) / (sets - 1) if sets > 1 else 1.0
        total += probe.epoch_tokens * (first.step + (last.step - first.step) * share)
    return total


class _Probe:
    """One arm on a throwaway model: a few steps with its first set, and with all of them."""

    def __init__(self, spec: ArmSpec, base: BaseModel, corpus: Corpus, hardware: Hardware) -> None:
        self.spec = spec
        self._corpus, self._hardware = corpus, hardware
        model = build_model(base, spec.settings.tune, spec.settings.dropout)
        model.to(hardware.device)
        self.featured = spec.settings.tune == "adapter"
        features = self._features(model.encoder.shape.width) if self.featured else None
        self.arm: Arm | None = Arm(spec, model, corpus, hardware, features)
        self.batches = self.arm.batches(1)
        lengths = corpus.store.lengths
        self._lengths = lengths[corpus.train.first] + lengths[corpus.train.second]
        self.epoch_tokens = int(self._lengths.sum()) // spec.settings.epochs_per_pass
        self.sets = spec.plan.switches if spec.grow_sets is None else spec.grow_sets
        self.added = 0
        self.steps_made = 0
        self.embedded = 0
        self.epoch_seconds = 0.0
        self.peak = 0.0
        self.resident: list[float] = []
        """MB in memory after each timed step."""

    def _features(self, width: int) -> torch.Tensor:
        """(store rows, width): what the encoder's output will hold in memory, of random numbers."""
        few = torch.randn(64, width)
        rows = torch.arange(len(self._corpus.store)) % len(few)
        return few[rows].to(self._hardware.device)

    def measure(self) -> tuple[_Costs, _Costs]:
        """The costs with the first set and with the last."""
        assert self.arm is not None
        arm = self.arm
        self._grow(1)
        first = self._timed()
        last = first
        if self.sets > 1:
            self._grow(self.sets - 1)
            last = self._timed()
        # A run holds its best weights, those before the last switch, and writes all of its state.
        arm.best = arm.before_switch = BestWeights(arm.snapshot(), Measured(), np.zeros(0))
        state = state_of(arm)
        self.epoch_seconds = self.epoch_tokens * last.step
        self.peak = peak_rss_mb() + self._growth()
        del state
        return first, last

    def _growth(self) -> float:
        """MB that the steps of the whole run will add to those of the probe.

        Batches differ in their number of tokens, and the kernels and buffers made for each number
        are kept. Memory so grows with the square root of the steps, about (measured).
        """
        made = len(self.resident)
        if made < 2 or self.featured or self._hardware.device.type != "cpu":
            return 0.0
        slope = max(0.0, self.resident[-1] - self.resident[0]) / (made**0.5 - 1)
        steps = min(GROWTH_STEPS, len(self.batches) * self.spec.epochs)
        return float(slope * max(0.0, steps**0.5 - made**0.5))

    def release(self) -> None:
        """Let go of the model."""
        self.arm = None

    def _grow(self, times: int) -> None:
        assert self.arm is not None
        if self.sets and self.spec.sites:
            for _ in range(times):
                self.added += self.arm.grow()
                self.arm.growth = msgspec.structs.replace(
                    self.arm.growth, switches=self.arm.growth.switches + 1
                )
        self.arm.start_phase()

    def _timed(self) -> _Costs:
        assert self.arm is not None
        arm = self.arm
        if not arm.trained():
            return _Costs(0.0, *self._timed_embedding())
        by_tokens = sorted(self.batches, key=lambda batch: int(self._lengths[batch].sum()))
        places = np.unique(np.linspace(0, len(by_tokens) - 1, STEPS - 1).astype(int))
        chosen = [by_tokens[place] for place in places]
        longest = max(self.batches, key=lambda batch: int(self._lengths[batch].max()))
        before = self._step(longest)
        for _ in range(WARM_STEPS):
            now = self._step(longest)
            if now > WARM * before:
                break
            before = now
        costs = []
        for batch in (*chosen, longest):
            costs.append(self._step(batch) / int(self._lengths[batch].sum()))
            self.resident.append(rss_mb())
        return _Costs(float(np.median(costs)), *self._timed_embedding())

    def _step(self, batch: Rows) -> float:
        """Seconds of a step on `batch`."""
        assert self.arm is not None
        begun = time.perf_counter()
        float(self.arm.make_step(batch).loss)  # waits for the device
        self.steps_made += 1
        return time.perf_counter() - begun

    def _timed_embedding(self) -> tuple[float, float]:
        """Seconds a token of an evaluation, and of the encoder where the arm trains without it."""
        assert self.arm is not None
        arm, model = self.arm, self.arm.model
        store = self._corpus.store
        arm.model.eval()
        encode = self._timed_pass(lambda rows: model.encoder(store.batch(rows).to(model.device)))
        return (self._timed_pass(arm.embed) if self.featured else encode), encode

    def _timed_pass(self, embed: Callable[[Rows], torch.Tensor]) -> float:
        """Seconds a token of inference on an even sample of the sentences."""
        store = self._corpus.store
        order = np.argsort(store.lengths, kind="stable")
        picked = order[np.unique(np.linspace(0, len(order) - 1, SENTENCES).astype(int))]
        # The largest batch of an evaluation, for the memory that it takes.
        whole = max(1, TOKENS_PER_FORWARD // int(store.lengths[order[-1]]))
        embed_all(embed, store, order[-whole:])
        costs = []
        for part in range(PARTS):
            rows = picked[part::PARTS]
            begun = time.perf_counter()
            embed_all(embed, store, rows)
            costs.append((time.perf_counter() - begun) / int(store.lengths[rows].sum()))
        self.embedded += len(picked)
        return float(np.median(costs))
