"""One training: a model, its trained parameters, its optimizer, and the weights it can go back to.

A run trains the main arm and, with `--control`, its controls; each is an `Arm`. An arm can make a
step, evaluate, snapshot, restore and grow. `loop.py` decides when.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nexus_engine.errors import DivergedError
from nexus_engine.growth import GrowthState
from nexus_engine.model.dendrites import DendriteLinear
from nexus_engine.model.sentence_model import SentenceModel
from nexus_engine.model.tokens import Rows
from nexus_engine.scoring.corpus import Corpus, PairRows, QuestionCorpus, weak_examples
from nexus_engine.scoring.evaluation import Measured, pair_cosines
from nexus_engine.scoring.judging import judge_of
from nexus_engine.training.arm.example_order import ExampleOrder
from nexus_engine.training.arm.examples import objective_of
from nexus_engine.training.arm.judging import judging_dtype
from nexus_engine.training.arm.mining import HardNegatives
from nexus_engine.training.arm.phases import make_optimizer, phase_epochs, rate_factor
from nexus_engine.training.arm.snapshots import BestWeights, Snapshot, put_back, take_snapshot
from nexus_engine.training.arm.spec import ArmProgress, ArmSpec
from nexus_engine.training.hardware import Hardware
from nexus_engine.training.steps.adamw import AdamW
from nexus_engine.training.steps.correlation_rule import Covariances
from nexus_engine.training.steps.features import Embedder
from nexus_engine.training.steps.keep_general import initial_weight
from nexus_engine.training.steps.objective import Objective
from nexus_engine.training.steps.rehearsal import Rehearsed
from nexus_engine.training.steps.step import StepResult, TrainingSteps
from nexus_engine.training.steps.trained_parameters import (
    base_parameters,
    grown_parameters,
    learning_now,
    named_sites,
)

__all__ = ["Arm"]


class Arm:
    """A model in training.

    `features` (store rows, width) is a frozen encoder's output. `general` (g, width) are the base
    model's embeddings of the corpus's general sentences; None if the arm never rehearses.
    `neighbours` (n, width) are its embeddings of the examples' questions, for batches of similar
    ones; None for another order.
    """

    def __init__(
        self,
        spec: ArmSpec,
        model: SentenceModel,
        corpus: Corpus | QuestionCorpus,
        hardware: Hardware,
        features: Tensor | None = None,
        general: Tensor | None = None,
        neighbours: Tensor | None = None,
    ) -> None:
        self.spec = spec
        self.model = model
        self.corpus = corpus
        self.hardware = hardware
        self.embed = Embedder(model, corpus.store, features)
        self.growth = GrowthState()
        self.progress = ArmProgress()
        self.best = BestWeights({}, Measured(), np.zeros(0))
        self.before_switch = self.best
        self.covariances: dict[str, Covariances] = {}
        settings = spec.settings
        model.encoder.set_dropout(settings.dropout)
        for site in model.sites().values():
            site.nonlinearity = settings.nonlinearity
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        for parameter in self._base_parameters().values():
            parameter.requires_grad_(True)
        self.judge = judge_of(corpus)
        self.negatives = HardNegatives.of(corpus, settings)
        objective: Objective = objective_of(corpus, settings, self.negatives)
        self.rehearsal: Rehearsed | None = None
        if general is not None:
            self.rehearsal = Rehearsed(objective, corpus.general, general.cpu().numpy(), 0.0)
        self.objective = self.rehearsal or objective
        self.set_keep_weight(initial_weight(settings.keep_general, settings.task))
        self._order = ExampleOrder(self.objective.lengths, weak_examples(corpus), spec, neighbours)
        self.optimizer: AdamW | None = None
        self.steps = TrainingSteps(self.embed, self.objective, settings, hardware)
        self.start_phase()

    # Trained parameters

    def _base_parameters(self) -> dict[str, nn.Parameter]:
        """The trained parameters that are not dendrites."""
        return base_parameters(self.model, self.spec.settings.tune)

    def sites(self) -> dict[str, DendriteLinear]:
        """The arm's sites, by the prefix of their parameters' names in the model."""
        return named_sites(self.model, self.spec.sites)

    def trained(self) -> dict[str, nn.Parameter]:
        """Every parameter that is trained now, by name."""
        return {**self._base_parameters(), **grown_parameters(self.sites())}

    def learning(self) -> dict[str, nn.Parameter]:
        """The trained parameters that learn in the present phase; the others do not change."""
        correlating = self.progress.rule_steps_left > 0
        return learning_now(self.trained(), self.spec.settings.rule, correlating=correlating)

    def params_trained(self) -> int:
        """Number of parameters trained now."""
        return sum(p.numel() for p in self.trained().values())

    def dendrite_params(self) -> int:
        """Number of dendrite parameters grown so far."""
        return sum(p.numel() for site in self.sites().values() for p in site.dendrite_parameters())

    def units(self) -> int:
        """Number of dendrite units grown so far, over all sites."""
        return sum(site.units for site in self.sites().values())

    # Steps

    def start_phase(self) -> None:
        """Start a new optimizer and schedule for the parameters that are trained now."""
        progress, learning = self.progress, self.learning()
        for name, parameter in self.trained().items():
            parameter.requires_grad_(name in learning)
            parameter.grad = None
        self.optimizer = make_optimizer(
            learning,
            self.spec.settings,
            self.model.encoder.shape.layers,
            correlating=progress.rule_steps_left > 0,
        )
        self.steps.begin(list(learning.values()), self.optimizer)
        progress.phase_step = 0
        done = max(0, progress.epoch - 1)
        if done < self.weak_epochs:
            epochs, first = self.weak_epochs - done, 1
        else:
            epochs, first = phase_epochs(self.spec, done), self.weak_epochs + 1
        progress.phase_steps = epochs * len(self.batches(first))

    def batches(self, epoch: int) -> list[Rows]:
        """The batches of an epoch, each as train pair indices (b,); none for epoch 0."""
        return [] if epoch == 0 else self._order.batches(epoch)

    def steps_until(self, epoch: int) -> int:
        """The number of batches of all epochs up to the end of `epoch`."""
        return sum(map(self._order.steps, range(1, epoch + 1)))

    @property
    def weak_epochs(self) -> int:
        """The epochs at the start that train on weak pairs."""
        return self._order.weak_epochs

    def make_step(self, batch: Rows) -> StepResult:
        """One optimizer step on a `batch` of train pair indices, (b,)."""
        progress = self.progress
        # Weak pairs alone have rates of their own; before questions they take a part of theirs.
        before_questions = self.weak_epochs if self.weak_epochs < self.spec.plan.epochs else 0
        factor = rate_factor(self.spec.settings, progress, before_questions)
        result = self.steps.step(batch, progress.step, factor)
        progress.phase_step += 1
        progress.step_in_epoch += 1
        progress.step += 1
        progress.pairs += result.pairs
        progress.tokens_since_check += int(self.objective.lengths[batch].sum())
        return result

    def set_keep_weight(self, weight: float) -> None:
        """Set the weight of the rehearsal loss, 0 or more, from the next step on."""
        self.progress.keep_weight = weight
        if self.rehearsal is not None:
            self.rehearsal.weight = weight

    # Evaluation

    def embed_to_judge(self, rows: Rows) -> Tensor:
        """Embeddings of store rows (m,) for a judgement, (m, width); see `judging_dtype`."""
        return self.embed(rows, judging_dtype(self.corpus, self.hardware))

    def cosines(
        self, pairs: PairRows, check: Callable[[], None] = lambda: None
    ) -> npt.NDArray[np.float64]:
        """Cosine similarity of each pair, (n,), -1..1."""
        self.model.eval()
        return pair_cosines(self.embed, self.corpus.store, pairs, check)

    def check_finite(self) -> None:
        """Check every trained weight.

        Raises:
            DivergedError: a weight is not finite.
        """
        for name, parameter in self.trained().items():
            if not bool(torch.isfinite(parameter).all()):
                raise DivergedError(
                    f"weight {name} is not finite after step {self.progress.step}; "
                    "lower --lr, or train with --precision fp32"
                )

    # Growing and going back

    def snapshot(self) -> Snapshot:
        """Copies of all trained parameters; their shapes also tell which units exist."""
        return take_snapshot(self.trained())

    def restore(self, snapshot: Snapshot) -> None:
        """Restore the snapshot exactly: its weights, its units and no others."""
        self.progress.rule_steps_left = 0
        self.covariances = {}
        self.steps.drop_graphs()
        put_back(snapshot, self._base_parameters(), self.sites())

    def grow(self) -> int:
        """Grow one set on the arm's sites; returns the number of parameters added.

        A new phase must follow.
        """
        settings = self.spec.settings
        generator = torch.Generator().manual_seed(settings.seed * 1000 + self.growth.switches)
        sites = self.sites()
        full = settings.dendrite == "full"
        added = sum(site.grow(settings.units, generator, full=full) for site in sites.values())
        if settings.rule == "correlation":
            self.progress.rule_steps_left = settings.rule_steps
            self.covariances = {
                name: Covariances(
                    torch.zeros(settings.units, site.outputs, device=self.model.device)
                )
                for name, site in sites.items()
            }
        return added
