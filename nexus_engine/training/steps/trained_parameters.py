"""Which parameters of a model are trained, and which of them learn in a phase; all by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from nexus_engine.model.dendrites import UNIT_PARAMETERS, DendriteLinear
from nexus_engine.model.sentence_model import SentenceModel
from nexus_engine.training.steps.correlation_rule import INPUT_PARAMETERS

__all__ = ["base_parameters", "grown_parameters", "leaf", "learning_now", "named_sites"]

Parameters = dict[str, nn.Parameter]


def leaf(name: str) -> str:
    """The last part of a parameter's name: its name in its own layer."""
    return name.rsplit(".", 1)[-1]


def base_parameters(model: SentenceModel, tune: str) -> Parameters:
    """The parameters trained in the regime `tune` that are not dendrites."""
    if tune == "dendrites":
        return {}
    prefixes = ("adapter.",) if tune == "adapter" else ("adapter.", "encoder.")
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if name.startswith(prefixes) and leaf(name) not in UNIT_PARAMETERS
    }


def named_sites(model: SentenceModel, sites: Sequence[str]) -> dict[str, DendriteLinear]:
    """The layers of `sites`, by the prefix of their parameters' names in the model."""
    layers = model.sites()
    return {
        "adapter" if name == "adapter" else f"encoder.layers.{name}": layers[name] for name in sites
    }


def grown_parameters(sites: Mapping[str, DendriteLinear]) -> Parameters:
    """The parameters of all dendrites on `sites`."""
    parameters: Parameters = {}
    for prefix, site in sites.items():
        for name in UNIT_PARAMETERS:
            parameter = getattr(site, name)
            if parameter is not None:
                parameters[f"{prefix}.{name}"] = parameter
    return parameters


def learning_now(trained: Parameters, rule: str, *, correlating: bool) -> Parameters:
    """The parameters of `trained` that learn in the present phase.

    With the rule `correlation` these are only the units' input weights while `correlating`, and
    all other parameters after that.
    """
    if rule == "gradient":
        return trained
    return {
        name: parameter
        for name, parameter in trained.items()
        if (leaf(name) in INPUT_PARAMETERS) == correlating
    }
