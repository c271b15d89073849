"""One training: a model, what is trained of it, its optimizer, and all state that a resume needs.

A run trains the main arm and, where asked, its controls; each is an `Arm`. The arm knows how to
make a step, evaluate, snapshot, restore and grow. It does not decide: `training.py` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nexus_engine.adamw import AdamW
from nexus_engine.batching import epoch_batches
from nexus_engine.config import Settings
from nexus_engine.corpus import Corpus, PairRows
from nexus_engine.correlation_rule import INPUT_PARAMETERS, Covariances, Taps, climb, hold_length
from nexus_engine.dendrites import UNIT_PARAMETERS, DendriteLinear
from nexus_engine.errors import DivergedError
from nexus_engine.evaluation import embed_all, pair_cosines
from nexus_engine.fast.dropout import DropoutPool
from nexus_engine.graphed import GraphedSteps, StepRule
from nexus_engine.growth import GrowthPlan, GrowthState
from nexus_engine.hardware import Hardware, autocast
from nexus_engine.losses import LOSSES
from nexus_engine.sentence_model import SentenceModel, cosine
from nexus_engine.sharpness import sharp_gradients

__all__ = [
    "Arm",
    "ArmSpec",
    "Kept",
    "Measured",
    "Rows",
    "Snapshot",
    "StepResult",
    "features_of",
]

MAX_GRAD_NORM = 1.0

Rows = npt.NDArray[np.int64]
Snapshot = dict[str, Tensor]
"""Trained parameters by name, copies on the CPU or device where they were trained."""


class ArmSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What one arm trains.

    `grow_sets` bounds how many of its switches grow a set: few or none in a control, all (None) in
    the run proper, those that a user asks for included.
    `epochs` is the length for which the learning rate is planned; `plan.epochs` may be shorter.
    """

    name: str
    description: str
    settings: Settings
    plan: GrowthPlan
    sites: tuple[str, ...]
    grow_sets: int | None
    epochs: int


class Progress(msgspec.Struct, kw_only=True):
    """The counters of an arm; plain numbers, so that a checkpoint holds them as JSON."""

    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    phase_step: int = 0
    phase_steps: int = 1
    step_seconds: float = 0.0
    eval_seconds: float = 0.0
    pairs: int = 0
    params_on_trial: int = 0
    rule_steps_left: int = 0
    switch_epochs: list[int] = msgspec.field(default_factory=list)
    finished: bool = False


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What an evaluation found: dev correlations, and the guard's (see `events.Evaluated`)."""

    epoch: int = 0
    spearman: float = float("-inf")
    pearson: float = float("nan")
    guard_spearman: float = float("nan")
    guard_scored_spearman: float = float("nan")


class Kept(NamedTuple):
    """Weights worth going back to, what they measured, and their dev similarities (n,)."""

    weights: Snapshot
    measured: Measured
    cosines: npt.NDArray[np.float64]


class StepResult(NamedTuple):
    """`loss` and `grad_norm` are scalars on the device: reading them may wait for it."""

    loss: Tensor
    grad_norm: Tensor
    lr: float
    pairs: int


class Arm:
    """A model in training. `features` (store rows, width) stands for a frozen encoder's output."""

    def __init__(
        self,
        spec: ArmSpec,
        model: SentenceModel,
        corpus: Corpus,
        hardware: Hardware,
        features: Tensor | None = None,
    ) -> None:
        self.spec = spec
        self.model = model
        self.corpus = corpus
        self.hardware = hardware
        self.features = features
        self.growth = GrowthState()
        self.progress = Progress()
        self.best = Kept({}, Measured(), np.zeros(0))
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
        self._loss = LOSSES[settings.loss]
        self._dtype = torch.bfloat16 if hardware.bf16 else torch.float32
        self._pool = DropoutPool(settings.dropout, settings.seed, self._dtype)
        self._pair_lengths = (
            corpus.store.lengths[corpus.train.first] + corpus.store.lengths[corpus.train.second]
        )
        self.optimizer: AdamW | None = None
        self.graphs = True
        self._steps: GraphedSteps | None = None
        self.start_phase()

    # What is trained

    def _base_parameters(self) -> dict[str, nn.Parameter]:
        """The trained parameters that are not dendrites."""
        tune = self.spec.settings.tune
        if tune == "dendrites":
            return {}
        wanted = ("adapter.",) if tune == "adapter" else ("adapter.", "encoder.")
        return {
            name: parameter
            for name, parameter in self.model.named_parameters()
            if name.startswith(wanted) and name.rsplit(".", 1)[-1] not in UNIT_PARAMETERS
        }

    def _sites(self) -> dict[str, DendriteLinear]:
        """Grown-on sites by the name their parameters have in the model."""
        known = self.model.sites()
        return {
            "adapter" if name == "adapter" else f"encoder.layers.{name}": known[name]
            for name in self.spec.sites
        }

    def trained(self) -> dict[str, nn.Parameter]:
        """Every parameter that is trained now, by name."""
        found = self._base_parameters()
        for prefix, site in self._sites().items():
            for leaf in UNIT_PARAMETERS:
                parameter = getattr(site, leaf)
                if parameter is not None:
                    found[f"{prefix}.{leaf}"] = parameter
        return found

    def learning(self) -> dict[str, nn.Parameter]:
        """The trained parameters that learn in the present phase; the others stand as they are.

        With the rule `correlation` those are the new units' input weights alone, then all others.
        """
        trained = self.trained()
        if self.spec.settings.rule == "gradient":
            return trained
        first = self.progress.rule_steps_left > 0
        return {
            name: parameter
            for name, parameter in trained.items()
            if (name.rsplit(".", 1)[-1] in INPUT_PARAMETERS) == first
        }

    def params_trained(self) -> int:
        """Number of parameters trained now."""
        return sum(p.numel() for p in self.trained().values())

    def dendrite_params(self) -> int:
        """Number of dendrite parameters grown so far."""
        return sum(p.numel() for site in self._sites().values() for p in site.dendrite_parameters())

    def units(self) -> int:
        """Number of dendrite units grown so far, over all sites."""
        return sum(site.units for site in self._sites().values())

    # Phases

    def start_phase(self) -> None:
        """Renew optimizer and schedule for what is trained now."""
        settings = self.spec.settings
        groups: dict[float, list[nn.Parameter]] = {}
        learning = self.learning()
        for name, parameter in self.trained().items():
            parameter.requires_grad_(name in learning)
            parameter.grad = None
        for name, parameter in learning.items():
            groups.setdefault(self._rate(name), []).append(parameter)
        self.optimizer = self._steps = None
        if groups:
            # The correlation steps leave older units' weights as they are, decay included.
            decay = 0.0 if self.progress.rule_steps_left else settings.weight_decay
            self.optimizer = AdamW(
                [
                    {"params": p, "lr": rate, "base_lr": rate, "weight_decay": decay}
                    for rate, p in groups.items()
                ]
            )
        steps = len(self.batches(1))
        self.progress.phase_step = 0
        done = max(0, self.progress.epoch - 1)
        end = self.spec.epochs
        if settings.schedule == "phase":
            later = [e for e in self.spec.plan.switch_epochs or () if e > done]
            end = min(later, default=end)
        left = max(1, end - done)
        self.progress.phase_steps = left * steps

    def _rate(self, name: str) -> float:
        """The peak learning rate of a parameter, by its name in the model."""
        settings = self.spec.settings
        if name.rsplit(".", 1)[-1] in UNIT_PARAMETERS:
            return settings.dendrite_lr
        if name.startswith("encoder."):
            layers = self.model.encoder.shape.layers
            parts = name.split(".")
            depth = int(parts[2]) + 1 if parts[1] == "layers" else 0
            return float(settings.lr * settings.layer_decay ** (layers - depth))
        return settings.lr

    def batches(self, epoch: int) -> list[Rows]:
        """The batches of an epoch, as train pair indices; none for epoch 0."""
        if epoch == 0:
            return []
        settings = self.spec.settings
        return epoch_batches(
            self._pair_lengths,
            settings.batch_size,
            seed=settings.seed,
            epoch=epoch,
            like_length=settings.order == "length",
            per_pass=settings.epochs_per_pass,
        )

    # Steps

    def _embed(
        self,
        rows: Rows,
        dtype: torch.dtype | None = None,
        pool: DropoutPool | None = None,
        *,
        plain: bool = False,
    ) -> Tensor:
        if self.features is not None:
            return self.model.adapt(self.features[torch.from_numpy(rows).to(self.features.device)])
        return self.model.embed(self.corpus.store, rows, dtype, pool, plain=plain)

    def make_step(self, picked: Rows) -> StepResult:
        """One optimizer step on the train pairs `picked`, (b,)."""
        assert self.optimizer is not None
        self.model.train()
        pairs, b = self.corpus.train, len(picked)
        progress, settings = self.progress, self.spec.settings
        share = progress.phase_step / progress.phase_steps
        factor = 1.0 if settings.schedule == "constant" else max(0.0, 1.0 - share)
        rows = np.concatenate([pairs.first[picked], pairs.second[picked]])
        steps = self._graphed()
        if steps is not None:
            ids, lengths = self.corpus.store.tokens(rows)
            loss, norm = steps.step(ids, lengths, pairs.scores[picked], factor)
        else:
            loss, norm = self._eager_step(rows, pairs.scores[picked], factor)
        progress.phase_step += 1
        progress.step_in_epoch += 1
        progress.step += 1
        progress.pairs += b
        lr = float(self.optimizer.param_groups[0]["base_lr"]) * factor
        return StepResult(loss.detach(), norm, lr, b)

    def _eager_step(
        self, rows: Rows, scores: npt.NDArray[np.float32], factor: float
    ) -> tuple[Tensor, Tensor]:
        """Loss and gradient norm of a step on the pairs whose sentences are `rows`, (2 b,)."""
        assert self.optimizer is not None
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_lr"] * factor
        b = len(scores)
        wanted = torch.from_numpy(scores).to(self.model.device, non_blocking=True)
        optimizer = self.optimizer

        def compute() -> Tensor:
            self._pool.begin(self.progress.step)  # the same masks each time in a step
            with autocast(self.hardware):
                vectors = self._embed(rows, self._dtype, self._pool)
            loss = self._loss(cosine(vectors[:b].float(), vectors[b:].float()), wanted)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        radius = self.spec.settings.sharpness
        loss = sharp_gradients(compute, list(self.learning().values()), radius)
        norm = nn.utils.clip_grad_norm_(self.learning().values(), MAX_GRAD_NORM)
        self.optimizer.step()
        return loss, norm

    def _graphed(self) -> GraphedSteps | None:
        """The phase's steps as CUDA graphs; None where they are computed one by one."""
        if not self.graphs or self.model.device.type != "cuda" or self.features is not None:
            return None
        if self._steps is None:
            assert self.optimizer is not None
            rule = StepRule(
                self._loss,
                list(self.learning().values()),
                self.optimizer,
                MAX_GRAD_NORM,
                self.spec.settings.sharpness,
            )
            self._steps = GraphedSteps(
                self.model, rule, lambda: autocast(self.hardware, cached=False)
            )
        return self._steps

    def correlation_step(self, picked: Rows) -> float:
        """One step of the rule `correlation` on the train pairs `picked`, (b,).

        The model computes as in inference: what its neurons get wrong, without dropout's noise.
        Returns the mean of S over sites (see `correlation_rule`), before the step.
        """
        assert self.optimizer is not None
        self.model.eval()
        pairs, b, units = self.corpus.train, len(picked), self.spec.settings.units
        sites = self._sites()
        scores = torch.from_numpy(pairs.scores[picked]).to(self.model.device)
        with Taps(sites) as taps, autocast(self.hardware):
            # The taps hang on the sites' own modules.
            rows = np.concatenate([pairs.first[picked], pairs.second[picked]])
            vectors = self._embed(rows, plain=True)
        loss = self._loss(cosine(vectors[:b].float(), vectors[b:].float()), scores)
        summed = climb(sites, self.covariances, taps, loss, units)
        self.optimizer.step()
        for site in sites.values():
            hold_length(site, units)
        self.progress.pairs += b
        self.progress.rule_steps_left -= 1
        if not self.progress.rule_steps_left:
            self.covariances = {}
            self.start_phase()
        return summed

    # Evaluation

    def cosines(
        self, pairs: PairRows, check: Callable[[], None] = lambda: None
    ) -> npt.NDArray[np.float64]:
        """Cosine similarity of each pair, (n,), -1..1."""
        self.model.eval()
        return pair_cosines(self._embed, self.corpus.store, pairs, check)

    def check_finite(self) -> None:
        """Look at every trained weight.

        Raises:
            DivergedError: one is not finite.
        """
        for name, parameter in self.trained().items():
            if not bool(torch.isfinite(parameter).all()):
                raise DivergedError(
                    f"weight {name} is not finite after step {self.progress.step}; "
                    "lower --lr, or train with --precision fp32"
                )

    # Snapshots

    def snapshot(self) -> Snapshot:
        """Copies of all trained parameters; which units exist follows from their shapes."""
        return {name: p.detach().clone() for name, p in self.trained().items()}

    @torch.no_grad()
    def restore(self, snapshot: Snapshot) -> None:
        """Become the snapshot exactly: its weights, and its units and no others."""
        self.progress.rule_steps_left = 0
        self.covariances = {}
        self._steps = None
        base = self._base_parameters()
        for name, parameter in base.items():
            parameter.copy_(snapshot[name])
        for prefix, site in self._sites().items():
            held = {
                leaf: snapshot[f"{prefix}.{leaf}"]
                for leaf in UNIT_PARAMETERS
                if f"{prefix}.{leaf}" in snapshot
            }
            present = {leaf: getattr(site, leaf) for leaf in UNIT_PARAMETERS}
            if all(
                (leaf in held) == (now is not None)
                and (now is None or now.shape == held[leaf].shape)
                for leaf, now in present.items()
            ):
                # Same units: keep the parameter objects, which the optimizer holds.
                for leaf, tensor in held.items():
                    present[leaf].copy_(tensor)
            else:
                site.load_units(held)

    def grow(self) -> int:
        """Grow one set on the arm's sites; the parameters added. A new phase must follow."""
        settings = self.spec.settings
        generator = torch.Generator().manual_seed(settings.seed * 1000 + self.growth.switches)
        sites = self._sites()
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

    # Checkpoints

    def _fresh_switch(self) -> bool:
        return self.before_switch.weights is self.best.weights

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that a bit-exact resume needs: tensors by name, and plain numbers."""
        tensors: dict[str, Tensor] = {}
        for kind, held in (
            ("now", self.snapshot()),
            ("best", self.best.weights),
            # Just after a switch the best is what the switch started from: stored once.
            ("before", {} if self._fresh_switch() else self.before_switch.weights),
        ):
            tensors.update({f"{kind}/{name}": tensor for name, tensor in held.items()})
        if self.optimizer is not None:
            names = {id(p): name for name, p in self.trained().items()}
            for parameter, state in self.optimizer.state.items():
                for key, value in state.items():
                    tensors[f"optimizer/{key}/{names[id(parameter)]}"] = value
        for name, running in self.covariances.items():
            tensors[f"covariances/{name}"] = running.mean
        tensors["random/cpu"] = torch.get_rng_state()
        if self.hardware.device.type == "cuda":
            tensors["random/cuda"] = torch.cuda.get_rng_state()
        tensors["cosines/best"] = torch.from_numpy(self.best.cosines)
        tensors["cosines/before"] = torch.from_numpy(self.before_switch.cosines.copy())
        meta = {
            "fresh_switch": self._fresh_switch(),
            "best": msgspec.to_builtins(self.best.measured),
            "before": msgspec.to_builtins(self.before_switch.measured),
            "progress": msgspec.to_builtins(self.progress),
            "growth": msgspec.to_builtins(self.growth),
        }
        return tensors, meta

    def load_state(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Become the arm whose `state` this is."""

        def part(kind: str) -> Snapshot:
            device = self.model.device
            return {
                name.removeprefix(kind + "/"): t.to(device)
                for name, t in tensors.items()
                if name.startswith(kind + "/")
            }

        self.restore(part("now"))
        # The phase decides what learns; beginning it again resets counters, so they come last.
        self.progress = msgspec.convert(meta["progress"], Progress)
        self.start_phase()
        self.progress = msgspec.convert(meta["progress"], Progress)
        self.covariances = {name: Covariances(t) for name, t in part("covariances").items()}
        self.growth = msgspec.convert(meta["growth"], GrowthState)
        self.best, self.before_switch = (
            Kept(
                part(kind),
                msgspec.convert(meta[kind], Measured),
                tensors[f"cosines/{kind}"].numpy(),
            )
            for kind in ("best", "before")
        )
        if meta["fresh_switch"]:
            self.before_switch = self.best
        if self.optimizer is not None:
            trained = self.trained()
            for name, value in tensors.items():
                if name.startswith("optimizer/"):
                    _, key, owner = name.split("/", 2)
                    self.optimizer.state[trained[owner]][key] = value.to(
                        "cpu"
                        if key == "step" and self.hardware.device.type == "cpu"
                        else self.model.device
                    )
        torch.set_rng_state(tensors["random/cpu"])
        if "random/cuda" in tensors and self.hardware.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random/cuda"])


def features_of(model: SentenceModel, corpus: Corpus, check: Callable[[], None]) -> Tensor:
    """(store rows, width): a frozen encoder's pooled output for every sentence, computed once."""
    model.eval()
    rows = np.arange(len(corpus.store), dtype=np.int64)
    return embed_all(
        lambda r: model.pooled(corpus.store, r),
        corpus.store,
        rows,
        check,
    ).to(model.device)
