"""The correlation rule: a new unit first learns to vary with what its neurons still get wrong.

For a unit with output d and the neurons y_o that it feeds, the remaining error of neuron o on row p
is E_po = ∂L/∂y_po. Before its gains learn anything, the unit's input weights climb

    S = Σ_o | mean_p (d_p − d̄)(E_po − Ē_o) |

by its gradient alone; then they are frozen and the gains learn by the loss. Sources: Fahlman and
Lebiere, "The cascade-correlation learning architecture", 1990 (S, there with the output error);
Brenner and Itti, "Perforated Backpropagation", arXiv 2501.18018 (E from backpropagation, for
hidden neurons). What is decided here, where those leave it open:

- One batch's covariance is mostly noise, so the sign of each term comes from a running mean over
  the batches.
- Units of one set would all find the same direction: a later one gets the error that is left after
  a regression on the earlier ones' outputs.
- A unit without a ceiling (gelu, relu, linear) could raise S by its length alone: the vector of its
  input weights is held at length 1, about what it is drawn with.

Tensor maths only; which parameters learn when is `trained_parameters.py`'s business.
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
    "climb",
    "covariance",
    "hold_length",
    "left_over",
]

INPUT_PARAMETERS = ("incoming", "threshold", "cascade")
"""What the rule trains; the gains are left to the loss."""

MEMORY = 0.9
"""Share of the running mean that each batch leaves; about the last ten batches count."""

UNBOUNDED = ("gelu", "relu", "linear")


def covariance(outputs: Tensor, error: Tensor) -> Tensor:
    """Covariance over rows of unit outputs (t, k) with errors (t, o): (k, o)."""
    centred = outputs - outputs.mean(0)
    return centred.T @ (error - error.mean(0)) / outputs.shape[0]


def left_over(error: Tensor, outputs: Tensor) -> Tensor:
    """`error` (t, o) less its regression on one unit's `outputs` (t,), both centred: (t, o)."""
    d = outputs - outputs.mean()
    e = error - error.mean(0)
    share = (d @ e) / d.square().sum().clamp_min(1e-12)
    return e - torch.outer(d, share)


class Covariances:
    """The running covariances of a site's `units` newest units with its neurons' errors.

    `mean` (units, outputs) starts at zero and is all the state there is. Errors are scaled to a
    mean square of 1 in each batch: the loss's own scale says nothing about direction.
    """

    def __init__(self, mean: Tensor) -> None:
        self.mean = mean

    def objective(self, outputs: Tensor, error: Tensor) -> Tensor:
        """S of this batch by the running signs: outputs (t, units), error (t, o); a scalar.

        Only `outputs` carries a gradient. The running mean takes this batch in first.
        """
        error = (error - error.mean(0)).detach()
        error = error / error.square().mean().sqrt().clamp_min(1e-20)
        now = []
        for k in range(outputs.shape[1]):
            now.append(covariance(outputs[:, k : k + 1], error))
            error = left_over(error, outputs[:, k].detach())
        found = torch.cat(now)
        self.mean = MEMORY * self.mean + (1 - MEMORY) * found.detach()
        return (self.mean.sign() * found).sum()


@torch.no_grad()
def hold_length(site: DendriteLinear, units: int) -> None:
    """Bring the input weights (incoming and cascade) of the `units` newest units to length 1.

    Nothing happens to a unit whose output is bounded: its length is its steepness.
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
    """Within it, each forward pass leaves every site's input and output rows to be looked at.

    `inputs[name]` is (t, in) without gradient, `outputs[name]` (t, out) the tensor whose gradient
    is the site's error. Where nothing before a site is trained its output becomes a leaf.
    """

    def __init__(self, sites: Mapping[str, DendriteLinear]) -> None:
        self.inputs: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] = {}
        self._sites = sites
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        for name, site in self._sites.items():
            self._handles.append(site.register_forward_hook(self._tap(name)))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _tap(self, name: str) -> Any:
        def look(_: nn.Module, rows: tuple[Tensor, ...], output: Tensor) -> Tensor:
            tapped = output if output.requires_grad else output.detach().requires_grad_()
            self.inputs[name] = rows[0].detach()
            self.outputs[name] = tapped
            return tapped

        return look

    def errors(self, loss: Tensor) -> dict[str, Tensor]:
        """∂loss/∂y of each site, (t, out) float32."""
        names = list(self.outputs)
        found = torch.autograd.grad(loss, [self.outputs[name] for name in names])
        return {name: error.float() for name, error in zip(names, found, strict=True)}


def climb(
    sites: Mapping[str, DendriteLinear],
    covariances: Mapping[str, Covariances],
    taps: ActivationHooks,
    loss: Tensor,
    units: int,
) -> float:
    """Put the gradient of -S into the input weights of each site's `units` newest units.

    Older units' rows get a gradient of zero. The mean of S over the sites is returned.
    """
    found: list[Tensor] = []
    for name, error in taps.errors(loss).items():
        site = sites[name]
        weights = {leaf: getattr(site, leaf) for leaf in INPUT_PARAMETERS}
        weights = {leaf: weight for leaf, weight in weights.items() if weight is not None}
        outputs = site.activations(taps.inputs[name].float())[:, -units:]
        summed = covariances[name].objective(outputs, error)
        gradients = torch.autograd.grad(-summed, list(weights.values()))
        old = site.units - units
        first_new = {"incoming": old, "threshold": old, "cascade": old * (old - 1) // 2}
        for (leaf, weight), gradient in zip(weights.items(), gradients, strict=True):
            weight.grad = gradient
            weight.grad[: first_new[leaf]] = 0
        found.append(summed.detach())
    return float(torch.stack(found).mean())
