"""The correlation rule: a new unit first learns to vary with the remaining error of its neurons.

For a unit with output d and the neurons y_o that it feeds, the remaining error of neuron o on row p
is E_po = ∂L/∂y_po. Before its gains learn anything, the unit's input weights maximise

    S = Σ_o | mean_p (d_p − d̄)(E_po − Ē_o) |

by gradient ascent; then they are frozen and the gains learn by the loss. Sources: Fahlman and
Lebiere, "The cascade-correlation learning architecture", 1990 (S, there with the output error);
Brenner and Itti, "Perforated Backpropagation", arXiv 2501.18018 (E from backpropagation, for
hidden neurons). Three choices that these sources leave open:

- One batch's covariance is mostly noise, so the sign of each term comes from a running mean over
  the batches.
- All units of one set would find the same direction, so each unit gets the residual error of a
  regression on the outputs of the units before it.
- A unit whose output is unbounded (gelu, relu, linear) could raise S by longer weights alone, so
  its vector of input weights is held at length 1, about the length of a random start.

This file is tensor maths only; `trained_parameters.py` chooses which parameters learn when.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn

from nexus_engine.model.dendrites import DendriteLinear

__all__ = [
    "INPUT_PARAMETERS",
    "ActivationHooks",
    "Covariances",
    "covariance",
    "hold_length",
    "residual",
    "set_gradients",
]

INPUT_PARAMETERS = ("incoming", "threshold", "cascade")
"""The parameters that the rule trains; the gains learn by the loss."""

MOMENTUM = 0.9
"""Weight of the former running mean at each batch: about the last ten batches count."""

UNBOUNDED = ("gelu", "relu", "linear")


def covariance(outputs: Tensor, error: Tensor) -> Tensor:
    """Covariance over rows of unit outputs (t, k) with errors (t, o): (k, o)."""
    centred = outputs - outputs.mean(0)
    return centred.T @ (error - error.mean(0)) / outputs.shape[0]


def residual(error: Tensor, outputs: Tensor) -> Tensor:
    """The residual of `error` (t, o) after regression on one unit's `outputs` (t,), centred."""
    d = outputs - outputs.mean()
    e = error - error.mean(0)
    share = (d @ e) / d.square().sum().clamp_min(1e-12)
    return e - torch.outer(d, share)


class Covariances:
    """The running covariances of a site's newest units with the errors of its neurons.

    `mean` (units, outputs) starts at zero and is the only state. In each batch the errors are
    scaled to a mean square of 1, since the scale of the loss says nothing about direction.
    """

    def __init__(self, mean: Tensor) -> None:
        self.mean = mean

    def objective(self, outputs: Tensor, error: Tensor) -> Tensor:
        """S of a batch, a scalar, with the running signs; outputs (t, units), error (t, o).

        Updates the running mean first. Only `outputs` carries a gradient.
        """
        error = (error - error.mean(0)).detach()
        error = error / error.square().mean().sqrt().clamp_min(1e-20)
        rows = []
        for k in range(outputs.shape[1]):
            rows.append(covariance(outputs[:, k : k + 1], error))
            error = residual(error, outputs[:, k].detach())
        covariances = torch.cat(rows)
        self.mean = MOMENTUM * self.mean + (1 - MOMENTUM) * covariances.detach()
        return (self.mean.sign() * covariances).sum()


@torch.no_grad()
def hold_length(site: DendriteLinear, units: int) -> None:
    """Scale the input weights (incoming and cascade) of the `units` newest units to length 1.

    Units with a bounded output stay as they are: there the length is the steepness.
    """
    if site.nonlinearity not in UNBOUNDED or site.incoming is None:
        return
    for k in range(site.units - units, site.units):
        parts = [site.incoming[k]]
        if site.cascade is not None:
            parts.append(site.cascade[k * (k - 1) // 2 : k * (k + 1) // 2])
        length = torch.cat(parts).norm().clamp_min(1e-12)
        for part in parts:
            part.div_(length)


class ActivationHooks:
    """A context in which each forward pass records the input and output rows of every site.

    `inputs[name]` (t, in) carries no gradient; `outputs[name]` (t, out) is the tensor whose
    gradient is the site's error. An output that depends on nothing trained becomes a leaf.
    """

    def __init__(self, sites: Mapping[str, DendriteLinear]) -> None:
        self.inputs: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] = {}
        self._sites = sites
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        for name, site in self._sites.items():
            self._handles.append(site.register_forward_hook(self._hook(name)))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _hook(self, name: str) -> Any:
        def record(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            recorded = output if output.requires_grad else output.detach().requires_grad_()
            self.inputs[name] = inputs[0].detach()
            self.outputs[name] = recorded
            return recorded

        return record

    def errors(self, loss: Tensor) -> dict[str, Tensor]:
        """∂loss/∂y of each site, (t, out) float32."""
        names = list(self.outputs)
        errors = torch.autograd.grad(loss, [self.outputs[name] for name in names])
        return {name: error.float() for name, error in zip(names, errors, strict=True)}


def set_gradients(
    sites: Mapping[str, DendriteLinear],
    covariances: Mapping[str, Covariances],
    hooks: ActivationHooks,
    loss: Tensor,
    units: int,
) -> float:
    """Set the gradient of -S on the input weights of each site's `units` newest units.

    Older units get a gradient of zero. Returns the mean of S over the sites.
    """
    objectives: list[Tensor] = []
    for name, error in hooks.errors(loss).items():
        site = sites[name]
        weights = {leaf: getattr(site, leaf) for leaf in INPUT_PARAMETERS}
        weights = {leaf: weight for leaf, weight in weights.items() if weight is not None}
        outputs = site.activations(hooks.inputs[name].float())[:, -units:]
        objective = covariances[name].objective(outputs, error)
        gradients = torch.autograd.grad(-objective, list(weights.values()))
        older = site.units - units
        first_new = {"incoming": older, "threshold": older, "cascade": older * (older - 1) // 2}
        for (leaf, weight), gradient in zip(weights.items(), gradients, strict=True):
            weight.grad = gradient
            weight.grad[: first_new[leaf]] = 0
        objectives.append(objective.detach())
    return float(torch.stack(objectives).mean())
