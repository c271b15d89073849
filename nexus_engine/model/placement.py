"""Which linear layers a set grows on, and how many switches the budget pays for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nexus_engine.config import Settings
from nexus_engine.errors import ConfigError
from nexus_engine.model.dendrites import DendriteLinear, unit_parameters

__all__ = ["Placement", "choose_placement", "parameters_of_sets"]


class Placement(NamedTuple):
    """Sites, in forward order, that get units at each switch, and the most switches to make."""

    sites: tuple[str, ...]
    switches: int


def parameters_of_sets(sites: Sequence[DendriteLinear], units: int, switches: int) -> int:
    """Parameters that `switches` sets of `units` units on each of `sites` cost together."""
    return sum(
        unit_parameters(site.inputs, site.outputs, done * units, units)
        for site in sites
        for done in range(switches)
    )


def choose_placement(settings: Settings, available: dict[str, DendriteLinear]) -> Placement:
    """The sites and switches of `settings` among the model's `available` sites.

    Under a budget, as many of the switches are made as it pays for; which placement goes with a
    budget was chosen with the settings (`recipes.BUDGET_LADDER`).

    Raises:
        ConfigError: not even one set fits the budget.
    """
    wanted = {"adapter"}
    if settings.tune == "dendrites":
        wanted = {f"{layer}.{name}" for layer in settings.layers for name in settings.place}
    names = tuple(name for name in available if name in wanted)
    sites = [available[name] for name in names]
    switches, limit = settings.switches, settings.budget_parameters
    if limit is not None and settings.dendrites:
        while switches and parameters_of_sets(sites, settings.units, switches) > limit:
            switches -= 1
        if settings.switches and not switches:
            smallest = parameters_of_sets(sites, settings.units, 1)
            raise ConfigError(
                f"--budget allows {limit} parameters; one set as placed here has {smallest}: "
                "name fewer sites with --place and --layers, or a larger budget"
            )
    return Placement(names, switches)
