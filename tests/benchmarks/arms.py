"""Arms of the engine as a run would make them, for benchmarks that make single steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nexus_engine.config import TrainConfig, resolve
from nexus_engine.data import load_data, load_guard
from nexus_engine.model.base_model import BaseModel, find_base_model
from nexus_engine.model.placement import choose_placement
from nexus_engine.model.regimes import build_model
from nexus_engine.model.tokens import Tokenizer
from nexus_engine.scoring.corpus import Corpus, build_corpus
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.arm.spec import plan_main
from nexus_engine.training.hardware import select

REGIMES: dict[str, dict[str, Any]] = {
    "full": {"tune": "full"},
    "dendrites": {},
    "budget": {"budget": "0.01%"},
}


def load_corpus(data: Path | str, base: BaseModel) -> Corpus:
    """The data set tokenised."""
    return build_corpus(load_data(str(data)), load_guard(), Tokenizer(base.folder))


class Stepper:
    """An arm that makes steps without end; with the units of every set that its recipe grows."""

    def __init__(
        self, corpus: Corpus, *, base: str | None = None, sets: int | None = None, **asked: Any
    ) -> None:
        settings = resolve(TrainConfig(base=base, **asked))
        hardware = select(settings)
        torch.set_num_threads(hardware.threads)
        found = find_base_model(settings.base)
        model = build_model(found, settings.tune, settings.dropout).to(hardware.device)
        placement = choose_placement(settings, model.sites())
        spec = plan_main(settings, placement.sites, placement.switches)
        torch.manual_seed(settings.seed)
        self.arm = Arm(spec, model, corpus, hardware)
        self.arm.progress.epoch = 1
        for _ in range(placement.switches if sets is None else sets):
            self.arm.grow()
        self.arm.start_phase()
        self.arm.progress.phase_steps = 10**9
        self._batches = self._endless()

    def _endless(self) -> Iterator[npt.NDArray[np.int64]]:
        epoch = 0
        while True:
            epoch += 1
            yield from self.arm.batches(epoch)

    def step(self) -> int:
        """One optimizer step; the pairs in it."""
        self.last = next(self._batches)
        self.arm.make_step(self.last)
        return len(self.last)

    def tokens(self) -> int:
        """Tokens of the last step."""
        train, lengths = self.arm.corpus.train, self.arm.corpus.store.lengths
        return int(lengths[train.first[self.last]].sum() + lengths[train.second[self.last]].sum())
