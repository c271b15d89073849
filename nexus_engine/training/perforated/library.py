"""An arm whose adapter belongs to perforatedai: the library grows, saves and restores it.

Our policy (`growth.decide`) chooses when to switch, and the library carries the switch out. It also
judges whether the last dendrite helped; with thresholds of zero its rule is ours, and every switch
checks that both agree. Only the child process imports this file.
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
"""Added to every score: the library reads 0 as no score yet, and a correlation is above -1."""


class _Net(nn.Module):
    """The module that the library grows on: the adapter, and the encoder if it is trained too."""

    def __init__(self, encoder: nn.Module | None, adapter: nn.Module) -> None:
        super().__init__()
        if encoder is not None:
            self.encoder = encoder
        self.adapter = adapter


def _configure(weight: Tensor, nonlinearity: str) -> None:
    """Configure the library not to ask, draw or wait; `weight` gives device and type."""
    pc = library_globals.pc
    pc.set_device(weight.device)
    pc.set_d_type(weight.dtype)
    pc.set_testing_dendrite_capacity(False)
    pc.set_configuration_confirmed(True)
    pc.set_unwrapped_modules_confirmed(True)
    pc.set_checked_skipped_modules(True)
    pc.set_silent(True)
    pc.set_initial_history_after_switches(-1)  # otherwise epoch 0 can never be the best
    pc.set_switch_mode(pc.DOING_NO_SWITCH)  # our policy decides
    pc.set_improvement_threshold(0.0)
    pc.set_improvement_threshold_raw(0.0)
    pc.set_max_dendrites(1000)
    pc.set_max_dendrite_tries(1000)
    pc.set_pai_forward_function(NONLINEARITIES[nonlinearity])


class LibraryArm(Arm):
    """An arm whose adapter, and in the regime `full` whose encoder, is the library's module."""

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
        adapter = model.adapter
        linear = nn.Linear(adapter.inputs, adapter.outputs).to(adapter.weight)
        with torch.no_grad():
            linear.weight.copy_(adapter.weight)
            linear.bias.copy_(adapter.bias)
        _configure(adapter.weight, settings.nonlinearity)
        self._trains_encoder = settings.tune == "full"
        self._full_dendrites = settings.dendrite == "full"
        self._pending_score: float | None = None
        self.net: Any = library.perforate_model(
            _Net(model.encoder if self._trains_encoder else None, linear),
            doing_pai=True,
            save_name=SAVE_NAME,
            making_graphs=False,
            maximizing_score=True,
        )
        self._use_net(model)
        super().__init__(spec, model, corpus, hardware, features)
        self.steps.graphs = False  # the library replaces its modules, which graphs cannot follow
        self._let_library_find_width()

    @property
    def _wrapper(self) -> Any:
        """The library's wrapper of the adapter."""
        return self.net.adapter

    @property
    def _dendrites(self) -> int:
        return int(self._wrapper.dendrite_modules_added)

    def _use_net(self, model: SentenceModel) -> None:
        """Put the library's net into `model`; each call of the library may return a new one."""
        model.adapter = self.net.adapter
        if self._trains_encoder:
            model.encoder = self.net.encoder
        if not self._full_dendrites:
            self._wrapper.set_create_dendrite(self._create)
            for k, unit in enumerate(self._wrapper.dendrite_module.layers):
                unit.bind(self._wrapper.dendrite_module.layers[:k])

    def _create(self, parent: nn.Module) -> nn.Module:
        """The library's creation hook: our unit for a linear layer, a copy for a unit of ours."""
        if isinstance(parent, SharedUnit):
            return copy.deepcopy(parent)
        assert isinstance(parent, nn.Linear)
        function = NONLINEARITIES[self.spec.settings.nonlinearity]
        earlier = int(self._wrapper.dendrite_module.num_dendrites)
        unit = SharedUnit(parent.in_features, parent.out_features, earlier, function)
        return unit.to(parent.weight)

    def _let_library_find_width(self) -> None:
        """Run one backward pass without a step: the library's hook reads its layer's width."""
        rows = self.objective.rows(self.batches(1)[0][:2])
        self.model.eval()
        first, second = self.embed(rows[:2]), self.embed(rows[2:])
        cosine(first, second).sum().backward()  # type: ignore[no-untyped-call]
        for parameter in self.net.parameters():
            parameter.grad = None

    # Trained parameters of the library's modules, under our names

    def _base_parameters(self) -> dict[str, nn.Parameter]:
        parameters: dict[str, nn.Parameter] = {}
        if self._trains_encoder:
            parameters.update({f"encoder.{n}": p for n, p in self.net.encoder.named_parameters()})
        main = self._wrapper.main_module
        return {**parameters, "adapter.weight": main.weight, "adapter.bias": main.bias}

    def trained(self) -> dict[str, nn.Parameter]:
        """Every parameter that is trained now; dendrites' names end as in `UNIT_PARAMETERS`."""
        parameters = self._base_parameters()
        dendrites = self._wrapper.dendrite_module
        for k in range(self._dendrites):
            layer = dendrites.layers[k]
            if self._full_dendrites:
                parameters[f"adapter.{k}.incoming"] = layer.weight
                parameters[f"adapter.{k}.threshold"] = layer.bias
                if k:
                    parameters[f"adapter.{k}.cascade"] = dendrites.dendrites_to_dendrites[k]
            else:
                parameters.update(
                    {f"adapter.{k}.{name}": p for name, p in layer.named_parameters(recurse=False)}
                )
        if self._dendrites:
            parameters["adapter.gain"] = self._wrapper.dendrites_to_top[-1]
        return parameters

    def dendrite_params(self) -> int:
        """Number of dendrite parameters grown so far."""
        base = self._base_parameters()
        return sum(p.numel() for name, p in self.trained().items() if name not in base)

    def units(self) -> int:
        """Number of dendrites grown so far."""
        return self._dendrites

    def snapshot(self) -> Snapshot:
        """The plain form of the library's present weights."""
        return plain_snapshot(self.net.state_dict())

    def restore(self, snapshot: Snapshot) -> None:
        """Do nothing: the library restores its own best weights in a switch; see `grow`."""

    # Calls of the library

    def note_score(self, score: float) -> None:
        """Keep the score of an evaluation until a switch or `report_score`."""
        self._pending_score = score

    def report_score(self, *, switch: bool = False) -> None:
        """Report the last score to the library, once; with `switch` make the library switch.

        Raises:
            ModelError: the library switched unasked, or did not switch when asked.
        """
        if self._pending_score is None:
            return
        random_state = torch.get_rng_state()
        score, self._pending_score = self._pending_score + SCORE_SHIFT, None
        # The library records the learning rate; it makes no steps.
        library_globals.pai_tracker.set_optimizer_instance(self.optimizer)
        self.net, restructured, complete = library_globals.pai_tracker.add_validation_score(
            score, self.net, force_switch=switch
        )
        torch.set_rng_state(random_state)  # `_start` draws again what the library has drawn
        if complete or bool(restructured) != switch:
            raise ModelError("perforatedai switched unasked, or did not switch when asked")
        self.net.to(self.hardware.device)
        self._use_net(self.model)

    @torch.no_grad()
    def grow(self) -> int:
        """Make the library restore its best weights and grow; returns the parameters added.

        Raises:
            ModelError: the library kept or dropped the last dendrite and our policy did not, or its
                best weights are not ours.
        """
        best = self.best.weights
        self.report_score(switch=True)
        if self._dendrites != self.growth.kept + 1:
            raise ModelError(
                f"perforatedai has {self._dendrites} dendrites after a switch, "
                f"not {self.growth.kept + 1}: it judged the last one differently"
            )
        now = plain_snapshot(self.net.state_dict())
        for name in self._base_parameters():
            if not torch.equal(now[name], best[name]):
                raise ModelError(f"perforatedai did not restore the best {name}")
        params = self.dendrite_params()
        self._start()
        params_before = sum(
            t.numel() for name, t in best.items() if name not in self._base_parameters()
        )
        return params - params_before

    def _start(self) -> None:
        """Initialise the newest dendrite as the native grower does, from the run's seed."""
        k = self._dendrites - 1
        settings, layer = self.spec.settings, self._wrapper.dendrite_module.layers[k]
        generator = torch.Generator().manual_seed(settings.seed * 1000 + self.growth.switches)
        inputs = self._wrapper.main_module.in_features
        if self._full_dendrites:
            drawn = full_start(inputs, self._wrapper.main_module.out_features, k, 1, generator)
            layer.weight.copy_(drawn["incoming"][0])
            layer.bias.copy_(drawn["threshold"][0])
            return
        layer.incoming.copy_((torch.randn(1, inputs, generator=generator) * inputs**-0.5)[0])
        layer.threshold.zero_()
        if layer.cascade is not None:
            layer.cascade.zero_()
        for weights in self._wrapper.dendrite_module.dendrites_to_dendrites:
            weights.zero_()
            weights.requires_grad_(False)


class LibraryLoop(ArmLoop):
    """An `ArmLoop` that reports every evaluation to the library."""

    arm: LibraryArm

    def _decide(
        self, measured: Measured, candidate: BestWeights, request: Request | None
    ) -> Iterator[Event]:
        self.arm.note_score(measured.score)
        yield from super()._decide(measured, candidate, request)
        self.arm.report_score()
