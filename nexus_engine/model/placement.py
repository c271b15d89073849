"""The linear layers on which a set grows, and the number of switches within the budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nexus_engine.config import Settings
from nexus_engine.errors import ConfigError
from nexus_engine.model.dendrites import DendriteLinear, unit_parameters

__all__ = ["Placement", "choose_placement", "parameters_of_sets"]


class Placement(NamedTuple):
    """The sites that get units at each switch, in forward order, and the maximum of switches."""

    sites: tuple[str, ...]
    switches: int


def parameters_of_sets(sites: Sequence[DendriteLinear], units: int, switches: int) -> int:
    """The number of parameters of `switches` sets with `units` units on each of `sites`."""
    return sum(
        unit_parameters(site.inputs, site.outputs, earlier * units, units)
        for site in sites
        for earlier in range(switches)
    )


def choose_placement(settings: Settings, available: dict[str, DendriteLinear]) -> Placement:
    """The sites and switches of `settings`, given the model's `available` sites.

    A budget lowers the number of switches until their sets fit. The sites do not depend on it here;
    they were chosen with the settings (`recipes.BUDGET_LADDER`).

    Raises:
        ConfigError: not even one set fits the budget, or the model lacks a layer of the settings.
    """
    selected = {"adapter"}
    if settings.tune == "dendrites":
        selected = {f"{layer}.{name}" for layer in settings.layers for name in settings.place}
    absent = sorted(selected - available.keys())
    if absent:
        raise ConfigError(f"the base model has no layer {absent[0]}; name others with --layers")
    names = tuple(name for name in available if name in selected)
    sites = [available[name] for name in names]
    switches, limit = settings.switches, settings.budget_parameters
    if limit is not None and settings.dendrites:
        while switches and parameters_of_sets(sites, settings.units, switches) > limit:
            switches -= 1
        if settings.switches and not switches:
            smallest = parameters_of_sets(sites, settings.units, 1)
            raise ConfigError(
                f"--budget allows {limit} parameters; one set as placed here has {smallest}: "
                "name fewer sites with --place and --layers, or give a larger budget"
            )
    return Placement(names, switches)
