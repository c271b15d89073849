"""A short measured probe of one arm: seconds a token, and memory.

It makes a few real optimizer steps, the longest batch among them, and embeds an even sample of the
sentences, all on a throwaway model. Nothing is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import numpy as np
import torch

from nexus_engine.model.base_model import BaseModel
from nexus_engine.model.regimes import build_model
from nexus_engine.model.tokens import Rows
from nexus_engine.scoring.corpus import Corpus, QuestionCorpus
from nexus_engine.scoring.evaluation import TOKENS_PER_FORWARD, Measured, embed_all
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.arm.guard_checks import tokens_until_check
from nexus_engine.training.arm.snapshots import BestWeights
from nexus_engine.training.arm.spec import ArmSpec
from nexus_engine.training.arm.state import arm_state
from nexus_engine.training.hardware import Hardware, peak_rss_mb

__all__ = ["Costs", "Probe"]

TIMED_STEPS = 8
"""Timed steps for each number of sets, after the warm-up steps."""
MAX_WARM_STEPS = 8
WARM_RATIO = 0.8
"""Warm-up ends when a step takes more than this share of the step before, or after `MAX_WARM_STEPS`
steps: with a cold disk cache, the first steps of a process are many times slower."""
SAMPLE_SENTENCES, SAMPLE_TOKENS = 256, 16_384
"""The most that is embedded to time an evaluation."""
SAMPLE_PARTS = 4
"""Parts in which the sample is timed. The median over parts is used, as over steps, so that another
program's work during one part does not distort the forecast."""


def even_by_tokens(lengths: Rows) -> Rows:
    """Places, ascending, of a sample that is even in tokens; `lengths`, (n,), of sentences rise.

    A passage of 120 tokens costs more a token than a question of 12 (by 28 %, measured), and most
    tokens are in the long ones.
    """
    ends = np.cumsum(lengths)
    usual = float((lengths.astype(np.float64) ** 2).sum() / ends[-1])
    count = int(min(SAMPLE_SENTENCES, max(SAMPLE_PARTS, SAMPLE_TOKENS / usual)))
    return np.unique(np.searchsorted(ends, np.linspace(0, ends[-1] - 1, count), side="right"))


class Costs(NamedTuple):
    """Seconds a token: of a training step, of an evaluation, and of the encoder alone."""

    step: float
    embed: float
    encode: float


class Probe:
    """One arm on a throwaway model: a few steps with its first set, then with all its sets."""

    def __init__(
        self, spec: ArmSpec, base: BaseModel, corpus: Corpus | QuestionCorpus, hardware: Hardware
    ) -> None:
        self.spec = spec
        self._corpus, self._hardware = corpus, hardware
        model = build_model(base, spec.settings.tune, spec.settings.dropout)
        model.to(hardware.device)
        self.encoder_frozen = spec.settings.tune == "adapter"
        """Whether the arm trains on the encoder's output, computed once."""
        features = self._features(model.encoder.shape.width) if self.encoder_frozen else None
        general = None
        if spec.settings.rehearses:
            general = torch.randn(len(corpus.general), model.encoder.shape.width)
        self.arm: Arm | None = Arm(spec, model, corpus, hardware, features, general)
        if spec.settings.keep_general == "auto":
            self.arm.set_keep_weight(1.0)  # most runs need some rehearsal
        self.batches = self.arm.batches(self.arm.weak_epochs + 1) or self.arm.batches(1)
        self._example_lengths = self.arm.objective.lengths
        self.guard_checks = 0
        """Checks of the guard between the steps of all epochs."""
        if spec.settings.keep_general == "auto":
            self.guard_checks = self._count_guard_checks()
        self.rows_to_mine = np.zeros(0, np.int64)
        """Store rows that are embedded to mine the hard negatives of an epoch."""
        if self.arm.negatives is not None and isinstance(corpus, QuestionCorpus):
            weak = np.zeros(len(corpus.weak[0]), np.int64)
            mined = np.concatenate([weak, self.arm.negatives.any_lengths()])
            self._example_lengths = self._example_lengths + mined
            self.rows_to_mine = self.arm.negatives.embedded
        self.steps = self.arm.steps_until(spec.plan.epochs)
        self.epoch_tokens = int(self._example_lengths[np.concatenate(self.batches)].sum())
        self.epoch_pairs = sum(map(len, self.batches))
        self.sets = spec.plan.switches if spec.grow_sets is None else spec.grow_sets
        self.params_added = 0
        self.steps_made = 0
        self.sentences_embedded = 0
        self.epoch_seconds = 0.0
        self.peak_rss_mb = 0.0

    def _count_guard_checks(self) -> int:
        """As `GuardChecks` makes them: before a step, once enough is trained since the last."""
        assert self.arm is not None
        between_steps, checks = 0, 0
        for epoch in range(1, self.spec.epochs + 1):
            trained = 0  # the evaluation before the epoch was a check
            for batch in self.arm.batches(epoch):
                if trained >= tokens_until_check(checks):
                    between_steps, checks, trained = between_steps + 1, checks + 1, 0
                trained += int(self._example_lengths[batch].sum())
            checks += 1
        return between_steps

    def tokens_in(self, epoch: int) -> int:
        """Tokens of the steps of `epoch`."""
        assert self.arm is not None
        batches = self.arm.batches(epoch)
        return int(self._example_lengths[np.concatenate(batches)].sum()) if batches else 0

    def _features(self, width: int) -> torch.Tensor:
        """(store rows, width): random numbers that take the memory of the encoder's output."""
        few = torch.randn(64, width)
        rows = torch.arange(len(self._corpus.store)) % len(few)
        return few[rows].to(self._hardware.device)

    def measure(self) -> tuple[Costs, Costs]:
        """The costs with the first set and with all sets."""
        assert self.arm is not None
        arm = self.arm
        self._grow(1)
        first = self.time_costs()
        last = first
        if self.sets > 1:
            self._grow(self.sets - 1)
            last = self.time_costs()
        # A run keeps its best weights and those before the last switch, and copies all its state.
        arm.best = arm.before_switch = BestWeights(arm.snapshot(), Measured(), np.zeros(0))
        state = arm_state(arm)
        self.epoch_seconds = self.epoch_tokens * last.step
        self.peak_rss_mb = peak_rss_mb()
        del state
        return first, last

    def release(self) -> None:
        """Release the model."""
        self.arm = None

    def _grow(self, times: int) -> None:
        assert self.arm is not None
        if self.sets and self.spec.sites:
            for _ in range(times):
                self.params_added += self.arm.grow()
                self.arm.growth = msgspec.structs.replace(
                    self.arm.growth, switches=self.arm.growth.switches + 1
                )
        self.arm.start_phase()

    def time_costs(self) -> Costs:
        """The costs with the sets that the arm has now."""
        assert self.arm is not None
        arm = self.arm
        if not arm.trained():
            return Costs(0.0, *self._time_embedding())
        by_tokens = sorted(self.batches, key=lambda batch: int(self._example_lengths[batch].sum()))
        places = np.unique(np.linspace(0, len(by_tokens) - 1, TIMED_STEPS - 1).astype(int))
        sample = [by_tokens[place] for place in places]
        longest = max(self.batches, key=lambda batch: int(self._example_lengths[batch].max()))
        before = self._time_step(longest)
        for _ in range(MAX_WARM_STEPS):
            now = self._time_step(longest)
            if now > WARM_RATIO * before:
                break
            before = now
        costs = [
            self._time_step(batch) / int(self._example_lengths[batch].sum())
            for batch in (*sample, longest)
        ]
        return Costs(float(np.median(costs)), *self._time_embedding())

    def _time_step(self, batch: Rows) -> float:
        """Seconds of a step on `batch`."""
        assert self.arm is not None
        begun = time.perf_counter()
        float(self.arm.make_step(batch).loss)  # waits for the device
        self.steps_made += 1
        return time.perf_counter() - begun

    def _time_embedding(self) -> tuple[float, float]:
        """Seconds a token of an evaluation, and of the encoder alone.

        The two are the same unless the encoder is frozen.
        """
        assert self.arm is not None
        arm, model = self.arm, self.arm.model
        store = self._corpus.store
        arm.model.eval()
        if isinstance(self._corpus, QuestionCorpus) and not self.encoder_frozen:
            seconds = self._time_pass(arm.embed_to_judge)
            return seconds, seconds
        encode = self._time_pass(lambda rows: model.pooled(store, rows))
        return (self._time_pass(arm.embed) if self.encoder_frozen else encode), encode

    def _time_pass(self, embed: Callable[[Rows], torch.Tensor]) -> float:
        """Seconds a token of inference on a sample of the sentences."""
        store = self._corpus.store
        by_length = np.argsort(store.lengths, kind="stable")
        sample = by_length[even_by_tokens(store.lengths[by_length])]
        # The largest batch of an evaluation: it sets the peak of memory.
        largest_batch = max(1, TOKENS_PER_FORWARD // int(store.lengths[by_length[-1]]))
        embed_all(embed, store, by_length[-largest_batch:])
        costs = []
        for part in range(SAMPLE_PARTS):
            rows = sample[part::SAMPLE_PARTS]
            begun = time.perf_counter()
            embed_all(embed, store, rows)
            costs.append((time.perf_counter() - begun) / int(store.lengths[rows].sum()))
        self.sentences_embedded += len(sample)
        return float(np.median(costs))
