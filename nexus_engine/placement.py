"""Which linear layers a set grows on: by name, by layer, or the best within a budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nexus_engine.config import Settings
from nexus_engine.dendrites import DendriteLinear, unit_parameters
from nexus_engine.errors import ConfigError

__all__ = ["BUDGET_LADDER", "Placement", "choose_placement", "parameters_of_sets"]


class Placement(NamedTuple):
    """Sites that get `units` units at each switch, and the most switches that fit."""

    sites: tuple[str, ...]
    switches: int


class Rung(NamedTuple):
    """A placement that was measured: site names on layers, and the switches that pay there."""

    names: tuple[str, ...]
    layers: tuple[int, ...]
    switches: int


BUDGET_LADDER: tuple[Rung, ...] = (
    Rung(("q", "v", "o", "up", "down"), (0, 1, 2, 3, 4, 5), 2),
    Rung(("up",), (0, 1, 2, 3, 4, 5), 1),
    Rung(("v",), (0, 1, 2, 3, 4, 5), 1),
    Rung(("v",), (0, 1, 2), 1),
    Rung(("v",), (0, 1), 1),
    Rung(("v",), (0,), 1),
)
"""Placements from the best downwards, by dev Spearman over seeds: docs/recipes.md."""


def parameters_of_sets(
    sites: Sequence[DendriteLinear], units: int, switches: int
) -> int:
    """Parameters that `switches` sets of `units` units on each of `sites` cost together."""
    return sum(
        unit_parameters(site.inputs, site.outputs, done * units, units)
        for site in sites
        for done in range(switches)
    )


def choose_placement(settings: Settings, available: dict[str, DendriteLinear]) -> Placement:
    """The sites and number of switches for `settings` among the model's `available` sites.

    Raises:
        ConfigError: nothing fits the budget.
    """
    if settings.tune != "dendrites":
        return _within(settings, available, ("adapter",), settings.switches)
    if settings.budget_parameters is None:
        names = [f"{i}.{n}" for i in settings.layers for n in settings.place]
        ordered = tuple(n for n in available if n in set(names))
        return Placement(ordered, settings.switches)
    for rung in BUDGET_LADDER:
        names = [f"{i}.{n}" for i in rung.layers for n in rung.names]
        sites = [available[n] for n in names]
        switches = min(rung.switches, settings.switches)
        if parameters_of_sets(sites, settings.units, switches) <= settings.budget_parameters:
            return Placement(tuple(n for n in available if n in set(names)), switches)
    smallest = parameters_of_sets([available["0.v"]], settings.units, 1)
    raise ConfigError(
        f"--budget allows {settings.budget_parameters} parameters; the smallest set of dendrites "
        f"has {smallest}"
    )


def _within(
    settings: Settings, available: dict[str, DendriteLinear], names: tuple[str, ...], switches: int
) -> Placement:
    """`names` with as many of the switches as the budget allows, where there is a budget."""
    sites = [available[n] for n in names]
    limit = settings.budget_parameters
    while (
        limit is not None
        and switches
        and parameters_of_sets(sites, settings.units, switches) > limit
    ):
        switches -= 1
    if limit is not None and not switches and settings.switches:
        smallest = parameters_of_sets(sites, settings.units, 1)
        raise ConfigError(
            f"--budget allows {limit} parameters; the smallest set of dendrites has {smallest}"
        )
    return Placement(names, switches)
