"""What a run is asked to do, and the complete settings that this resolves to.

`TrainConfig` holds what the user gave, each value None where nothing was given. `resolve` fills the
rest from the recipe of the regime and checks the whole; the result, `Settings`, is what a run uses
and what its folder records. The record in `nexus_engine.settings` tells what each setting is.
"""

from __future__ import annotations

import difflib
from typing import Any

import msgspec

from nexus_engine.errors import ConfigError, one_line
from nexus_engine.recipes import BUDGET_LADDER, RECIPES
from nexus_engine.settings.checks import check_numbers, check_settings
from nexus_engine.settings.record import SETTINGS, Nonlinearity, Settings, TrainConfig, Tune

__all__ = [
    "Nonlinearity",
    "Settings",
    "TrainConfig",
    "Tune",
    "check_numbers",
    "config_from_mapping",
    "parse_budget",
    "resolve",
]

BASE_PARAMETERS = 22_565_376
"""Trained and frozen parameters of the base model; a budget in percent is a share of them."""


def config_from_mapping(values: dict[str, Any], source: str) -> TrainConfig:
    """A `TrainConfig` from names and values, as read from a TOML file.

    Raises:
        ConfigError: an unknown name (the nearest right one is named), or a value of a wrong type.
    """
    cleaned = {key.replace("-", "_"): value for key, value in values.items()}
    for key in cleaned:
        if key not in SETTINGS:
            near = difflib.get_close_matches(key, SETTINGS, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{source}: unknown setting {one_line(key, 60)}{hint}")
    for key, value in cleaned.items():
        wrong = SETTINGS[key].wrong_type(value)
        if wrong is not None:
            raise ConfigError(f"{source}: {wrong}")
    return msgspec.convert(cleaned, TrainConfig)


def parse_budget(text: str, params_base: int) -> int:
    """Parameters that `--budget` allows: "0.01%" of `params_base`, or a plain number.

    Raises:
        ConfigError: neither a percentage nor a whole number, or not positive.
    """
    try:
        stripped = text.strip().replace(",", "").replace("_", "")
        if stripped.endswith("%"):
            allowed = int(params_base * float(stripped[:-1]) / 100)
        else:
            allowed = int(stripped)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"--budget {one_line(text, 40)}: give a share as 0.01% or a number of parameters"
        ) from None
    if allowed < 1:
        raise ConfigError(f"--budget {one_line(text, 40)}: allows no parameter at all")
    return allowed


def resolve(config: TrainConfig) -> Settings:
    """Fill what the user left open from the regime's recipe, and check the whole.

    Raises:
        ConfigError: a value out of range, or settings that contradict each other.
    """
    key = (config.tune, config.recipe)
    if key not in RECIPES:
        known = ", ".join(name for tune, name in RECIPES if tune == config.tune)
        raise ConfigError(
            f"--recipe {one_line(config.recipe, 40)}: unknown for --tune {config.tune}; "
            f"known: {known}"
        )
    recipe = RECIPES[key]
    asked = msgspec.structs.asdict(config)
    budget = asked.pop("budget")
    allowed = None if budget is None else parse_budget(budget, BASE_PARAMETERS)
    if allowed is not None and config.tune == "dendrites":
        recipe = {**recipe, **_rung(allowed)}
    chosen: dict[str, Any] = {
        name: value if value is not None else recipe.get(name) for name, value in asked.items()
    }
    said = {name for name, value in asked.items() if value is not None}
    if "dendrite_lr" in said:
        said.add("lr")  # one rate named, none is fitted
    chosen["fit"] = tuple(name for name in recipe["fit"] if name not in said)
    if config.lr is not None and config.dendrite_lr is None and config.tune != "full":
        chosen["dendrite_lr"] = config.lr
    planned = _planned_switches(config, recipe["switch_epochs"])
    made = _switches_made(config, planned, chosen["epochs"])
    chosen["switch_epochs"] = made
    chosen["switches"] = _allowed_switches(config, made, recipe["switches"])
    chosen["warmup_after_first_set"] = config.tune == "dendrites"
    if config.dendrite is None and config.grower == "perforatedai":
        chosen["dendrite"] = "full"
    if chosen["dendrite"] == "full" and config.nonlinearity is None:
        chosen["nonlinearity"] = "sigmoid"  # as published
    settings = Settings(budget_parameters=allowed, **chosen)
    check_settings(settings)
    return settings


def _allowed_switches(config: TrainConfig, made: tuple[int, ...] | None, recipe: int) -> int:
    """How many sets may grow: as said, or one for each switch that is made, or the recipe's."""
    if config.switches is not None:
        return int(config.switches)
    return recipe if made is None else len(made)


def _planned_switches(
    config: TrainConfig, recipe: tuple[int, ...] | None
) -> tuple[int, ...] | None:
    """The epochs after which a switch is planned, however long the run; None: by stall.

    By stall only for who asks for it: by a warm-up, or by more switches than the recipe plans.
    """
    if config.switch_epochs is not None:
        return tuple(config.switch_epochs)
    if config.warmup_epochs is not None or recipe is None:
        return None
    if config.switches is None:
        return recipe
    return recipe[: config.switches] if config.switches <= len(recipe) else None


def _switches_made(
    config: TrainConfig, planned: tuple[int, ...] | None, epochs: int
) -> tuple[int, ...] | None:
    """The planned switches that the run makes: none without dendrites, else those that fit in.

    A switch after the last epoch would train nothing. The recipe's are then left out, all of them
    where none fits; the user's own are refused (`check_settings`).
    """
    if not config.dendrites or config.switches == 0:
        return ()
    if planned is None or config.switch_epochs is not None:
        return planned
    return tuple(epoch for epoch in planned if epoch < epochs)


def _rung(allowed: int) -> dict[str, Any]:
    """The best measured placement that `allowed` parameters pay for."""
    for rung in BUDGET_LADDER:
        if rung.parameters <= allowed:
            return rung.recipe
    raise ConfigError(
        f"--budget allows {allowed} parameters; the smallest set of dendrites has "
        f"{BUDGET_LADDER[-1].parameters}"
    )
