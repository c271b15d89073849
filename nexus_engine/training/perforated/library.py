"""An arm whose adapter belongs to perforatedai: the library grows, saves and brings back.

When to switch is asked by our policy (`growth.decide`) and carried out by the library, which also
judges by itself whether the last dendrite helped: with thresholds of zero by the same rule as ours,
and it is checked that both always agree. Imported in the child process only.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import perforatedai.globals_perforatedai as library_globals
import perforatedai.utils_perforatedai as library
import torch
from torch import Tensor, nn

from nexus_engine.errors import ModelError
from nexus_engine.events import Event
from nexus_engine.growth import Request
from nexus_engine.model.dendrites import NONLINEARITIES
from nexus_engine.model.full_dendrites import full_start
from nexus_engine.model.sentence_model import SentenceModel, cosine
from nexus_engine.scoring.corpus import Corpus
from nexus_engine.scoring.evaluation import Measured
from nexus_engine.training.arm.arm import Arm
from nexus_engine.training.arm.loop import ArmLoop
from nexus_engine.training.arm.snapshots import BestWeights, Snapshot
from nexus_engine.training.arm.spec import ArmSpec
from nexus_engine.training.hardware import Hardware
from nexus_engine.training.perforated.readback import plain_snapshot
from nexus_engine.training.perforated.unit import SharedUnit

__all__ = ["LibraryArm", "LibraryLoop"]

SAVE_NAME = "library"
SCORE_SHIFT = 1.0
"""The library takes a score of 0 to mean that there is none yet; a correlation is above -1."""


class _Net(nn.Module):
    """What the library is given: the adapter, and the encoder where that is trained too."""

    def __init__(self, encoder: nn.Module | None, adapter: nn.Module) -> None:
        super().__init__()
        if encoder is not None:
            self.encoder = encoder
        self.adapter = adapter


def _configure(weight: Tensor, nonlinearity: str) -> None:
    """Settings without which the library asks, draws or waits; `weight` says device and type."""
    pc = library_globals.pc
    pc.set_device(weight.device)
    pc.set_d_type(weight.dtype)
    pc.set_testing_dendrite_capacity(False)
    pc.set_configuration_confirmed(True)
    pc.set_unwrapped_modules_confirmed(True)
    pc.set_checked_skipped_modules(True)
    pc.set_silent(True)
    pc.set_initial_history_after_switches(-1)  # else epoch 0 can never be the best
    pc.set_switch_mode(pc.DOING_NO_SWITCH)  # our policy asks
    pc.set_improvement_threshold(0.0)
    pc.set_improvement_threshold_raw(0.0)
    pc.set_max_dendrites(1000)
    pc.set_max_dendrite_tries(1000)
    pc.set_pai_forward_function(NONLINEARITIES[nonlinearity])


class LibraryArm(Arm):
    """See the module. `features` as in `Arm`."""

    def __init__(
        self,
        spec: ArmSpec,
        model: SentenceModel,
        corpus: Corpus,
        hardware: Hardware,
        features: Tensor | None,
    ) -> None:
        assert model.adapter is not None
        settings = spec.settings
        start = model.adapter
        linear = nn.Linear(start.inputs, start.outputs).to(start.weight)
        with torch.no_grad():
            linear.weight.copy_(start.weight)
            linear.bias.copy_(start.bias)
        _configure(start.weight, settings.nonlinearity)
        self._whole = settings.tune == "full"
        self._full = settings.dendrite == "full"
        self._score: float | None = None
        self.net: Any = library.perforate_model(
            _Net(model.encoder if self._whole else None, linear),
            doing_pai=True,
            save_name=SAVE_NAME,
            making_graphs=False,
            maximizing_score=True,
        )
        self._take_over(model)
        super().__init__(spec, model, corpus, hardware, features)
        self.steps.graphs = False  # the library changes its modules behind our back
        self._learn_shape()

    @property
    def _top(self) -> Any:
        """The library's wrapper of the adapter."""
        return self.net.adapter

    @property
    def _dendrites(self) -> int:
        return int(self._top.dendrite_modules_added)

    def _take_over(self, model: SentenceModel) -> None:
        """Use the library's net, which may be another object after each of its calls."""
        model.adapter = self.net.adapter
        if self._whole:
            model.encoder = self.net.encoder
        if not self._full:
            self._top.set_create_dendrite(self._create)
            for k, unit in enumerate(self._top.dendrite_module.layers):
                unit.bind(self._top.dendrite_module.layers[:k])

    def _create(self, parent: nn.Module) -> nn.Module:
        """The creation hook: our unit for a linear layer, a copy for what is a unit already."""
        if isinstance(parent, SharedUnit):
            return copy.deepcopy(parent)
        assert isinstance(parent, nn.Linear)
        function = NONLINEARITIES[self.spec.settings.nonlinearity]
        earlier = int(self._top.dendrite_module.num_dendrites)
        unit = SharedUnit(parent.in_features, parent.out_features, earlier, function)
        return unit.to(parent.weight)

    def _learn_shape(self) -> None:
        """One backward pass without a step: the library finds its layer's width in its hook."""
        pairs = self.corpus.train
        rows = self.batches(1)[0][:2]
        self.model.eval()
        first, second = self.embed(pairs.first[rows]), self.embed(pairs.second[rows])
        cosine(first, second).sum().backward()  # type: ignore[no-untyped-call]
        for parameter in self.net.parameters():
            parameter.grad = None

    # What is trained, in the library's module, by our names

    def _base_parameters(self) -> dict[str, nn.Parameter]:
        found: dict[str, nn.Parameter] = {}
        if self._whole:
            found.update({f"encoder.{n}": p for n, p in self.net.encoder.named_parameters()})
        main = self._top.main_module
        return {**found, "adapter.weight": main.weight, "adapter.bias": main.bias}

    def trained(self) -> dict[str, nn.Parameter]:
        """Every parameter that is trained now; dendrites' names end as in `UNIT_PARAMETERS`."""
        found = self._base_parameters()
        inside = self._top.dendrite_module
        for k in range(self._dendrites):
            layer = inside.layers[k]
            if self._full:
                found[f"adapter.{k}.incoming"] = layer.weight
                found[f"adapter.{k}.threshold"] = layer.bias
                if k:
                    found[f"adapter.{k}.cascade"] = inside.dendrites_to_dendrites[k]
            else:
                found.update(
                    {f"adapter.{k}.{name}": p for name, p in layer.named_parameters(recurse=False)}
                )
        if self._dendrites:
            found["adapter.gain"] = self._top.dendrites_to_top[-1]
        return found

    def dendrite_params(self) -> int:
        """Number of dendrite parameters grown so far."""
        base = self._base_parameters()
        return sum(p.numel() for name, p in self.trained().items() if name not in base)

    def units(self) -> int:
        """Number of dendrites grown so far."""
        return self._dendrites

    def snapshot(self) -> Snapshot:
        """The plain form of what the library holds now."""
        return plain_snapshot(self.net.state_dict())

    def restore(self, snapshot: Snapshot) -> None:
        """Nothing: the library brings back its own best inside its switch; see `grow`."""

    # The library's calls

    def heard(self, score: float) -> None:
        """An evaluation gave `score`; the library is told with the switch, or by `tell`."""
        self._score = score

    def tell(self, *, switch: bool = False) -> None:
        """Hand the last score to the library, once, and have it switch where that is asked."""
        if self._score is None:
            return
        state = torch.get_rng_state()
        score, self._score = self._score + SCORE_SHIFT, None
        # It wants to note the learning rate; the steps are ours.
        library_globals.pai_tracker.set_optimizer_instance(self.optimizer)
        self.net, restructured, complete = library_globals.pai_tracker.add_validation_score(
            score, self.net, force_switch=switch
        )
        torch.set_rng_state(state)  # what it draws is drawn again by our seed
        if complete or bool(restructured) != switch:
            raise ModelError("perforatedai switched where it was not asked to, or did not")
        self.net.to(self.hardware.device)
        self._take_over(self.model)

    @torch.no_grad()
    def grow(self) -> int:
        """Have the library switch: its best back, one more dendrite; the parameters added.

        Raises:
            ModelError: it kept or dropped the last dendrite against our own judgement, or its best
                is not ours.
        """
        before = self.best.weights
        self.tell(switch=True)
        if self._dendrites != self.growth.kept + 1:
            raise ModelError(
                f"perforatedai has {self._dendrites} dendrites after a switch, "
                f"not {self.growth.kept + 1}: it judged the last one otherwise"
            )
        now = plain_snapshot(self.net.state_dict())
        for name in self._base_parameters():
            if not torch.equal(now[name], before[name]):
                raise ModelError(f"perforatedai did not bring back the best {name}")
        earlier = self.dendrite_params()
        self._start()
        old = sum(t.numel() for name, t in before.items() if name not in self._base_parameters())
        return earlier - old

    def _start(self) -> None:
        """Give the newest dendrite the start that the native grower draws by the seed."""
        k = self._dendrites - 1
        settings, layer = self.spec.settings, self._top.dendrite_module.layers[k]
        generator = torch.Generator().manual_seed(settings.seed * 1000 + self.growth.switches)
        inputs = self._top.main_module.in_features
        if self._full:
            drawn = full_start(inputs, self._top.main_module.out_features, k, 1, generator)
            layer.weight.copy_(drawn["incoming"][0])
            layer.bias.copy_(drawn["threshold"][0])
            return
        layer.incoming.copy_((torch.randn(1, inputs, generator=generator) * inputs**-0.5)[0])
        layer.threshold.zero_()
        if layer.cascade is not None:
            layer.cascade.zero_()
        for weights in self._top.dendrite_module.dendrites_to_dendrites:
            weights.zero_()
            weights.requires_grad_(False)


class LibraryLoop(ArmLoop):
    """An epoch as everywhere else; the library hears of every evaluation."""

    arm: LibraryArm

    def _decide(
        self, measured: Measured, candidate: BestWeights, request: Request | None
    ) -> Iterator[Event]:
        self.arm.heard(measured.spearman)
        yield from super()._decide(measured, candidate, request)
        self.arm.tell()
