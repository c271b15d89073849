"""A run's configuration as the user gives it, and the complete settings that it resolves to.

`TrainConfig` holds what the user set; a value left open is None. `resolve` takes the open values
from the regime's recipe and checks the result, `Settings`, which the run uses and its folder
records. The record in `nexus_engine.settings` describes each setting.
"""

from __future__ import annotations

import difflib
from typing import Any

import msgspec

from nexus_engine.errors import ConfigError, one_line
from nexus_engine.recipes import (
    BUDGET_LADDER,
    MEASURED,
    RECIPES,
    RETRIEVAL,
    RETRIEVAL_LADDER,
    BaseSizes,
    Rung,
    placed_parameters,
    scaled,
)
from nexus_engine.settings.checks import check_given, check_numbers, check_settings
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


def config_from_mapping(values: dict[str, Any], source: str) -> TrainConfig:
    """A `TrainConfig` from names and values, as read from a TOML file.

    Raises:
        ConfigError: a name is unknown (the message suggests the closest one), or a value has the
            wrong type or is out of range.
    """
    by_name = {key.replace("-", "_"): value for key, value in values.items()}
    for name in by_name:
        if name not in SETTINGS:
            close = difflib.get_close_matches(name, SETTINGS, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ConfigError(f"{source}: unknown setting {one_line(name, 60)}{hint}")
    for name, value in by_name.items():
        message = SETTINGS[name].wrong_type(value)
        if message is not None:
            raise ConfigError(f"{source}: {message}")
    check_given(by_name)
    return msgspec.convert(by_name, TrainConfig)


def parse_budget(text: str, params_base: int) -> int:
    """The number of parameters that `--budget` allows: "0.01%" of `params_base`, or a number.

    Raises:
        ConfigError: `text` is neither a percentage nor a whole number, or allows no parameter.
    """
    try:
        stripped = text.strip().replace(",", "").replace("_", "")
        if stripped.endswith("%"):
            budget = int(params_base * float(stripped[:-1]) / 100)
        else:
            budget = int(stripped)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"--budget {one_line(text, 40)}: give a share such as 0.01%, or a number of parameters"
        ) from None
    if budget < 1:
        raise ConfigError(f"--budget {one_line(text, 40)}: allows no parameter at all")
    return budget


def resolve(config: TrainConfig, base: BaseSizes = MEASURED) -> Settings:
    """The complete settings: the user's values, and the recipe's for those left open.

    `base` has the sizes of the base model that `config.base` names, which the recipe is scaled to
    (see `nexus_engine.model.base_sizes`).

    The task "auto" counts as graded pairs here: whoever knows the data names its task before (see
    `nexus_engine.data.task`).

    Raises:
        ConfigError: a value is out of range, or settings contradict each other.
    """
    key = (config.tune, config.recipe)
    if key not in RECIPES:
        known = ", ".join(name for tune, name in RECIPES if tune == config.tune)
        raise ConfigError(
            f"--recipe {one_line(config.recipe, 40)}: unknown for --tune {config.tune}; "
            f"known: {known}"
        )
    retrieval = config.task == "retrieval"
    recipe = {**RECIPES[key], **RETRIEVAL[key]} if retrieval else RECIPES[key]
    user_values = msgspec.structs.asdict(config)
    budget_text = user_values.pop("budget")
    budget = None if budget_text is None else parse_budget(budget_text, base.parameters)
    if budget is not None and config.tune == "dendrites":
        ladder = RETRIEVAL_LADDER if retrieval else BUDGET_LADDER
        recipe = _best_placement(budget, recipe, ladder, base)
    else:
        recipe = scaled(recipe, config.tune, base)
    values: dict[str, Any] = {
        name: value if value is not None else recipe.get(name)
        for name, value in user_values.items()
    }
    user_set = {name for name, value in user_values.items() if value is not None}
    if "dendrite_lr" in user_set:
        user_set.add("lr")  # if the user sets either rate, neither is fitted to the data
    values["task"] = "retrieval" if retrieval else "pairs"
    if config.grower == "perforatedai" and config.keep_general == "auto":
        values["keep_general"] = "off"  # the library's steps rehearse nothing
    values["fit"] = tuple(name for name in recipe["fit"] if name not in user_set)
    if values["epochs_per_pass"] > 1 and config.passes_per_epoch is None:
        values["passes_per_epoch"] = 1  # of the two, the user's
    if config.lr is not None and config.dendrite_lr is None and config.tune != "full":
        values["dendrite_lr"] = config.lr
    planned = _planned_switches(config, recipe["switch_epochs"])
    switch_epochs = _switches_within(config, planned, values["epochs"])
    values["switch_epochs"] = switch_epochs
    values["switches"] = _max_switches(config, switch_epochs, recipe["switches"])
    values["warmup_after_first_set"] = config.tune == "dendrites"
    if config.dendrite is None and config.grower == "perforatedai":
        values["dendrite"] = "full"
    if values["dendrite"] == "full" and config.nonlinearity is None:
        values["nonlinearity"] = "sigmoid"  # as in the published project
    settings = Settings(budget_parameters=budget, **values)
    check_settings(settings)
    _check_sizes(settings, base)
    return settings


def _check_sizes(settings: Settings, base: BaseSizes) -> None:
    """Refuse settings that the base model is too small for."""
    limits = {
        "layers": (0, base.layers - 1, settings.layers),
        "dims": (8, base.width, settings.dims or ()),
        "max_length": (32, base.positions, (settings.max_length,)),
    }
    for name, (low, high, numbers) in limits.items():
        for number in numbers:
            if number > high:
                raise ConfigError(
                    f"{SETTINGS[name].option} {number}: must be between {low} and {high} with this "
                    "base model"
                )


def _max_switches(
    config: TrainConfig, switch_epochs: tuple[int, ...] | None, recipe_switches: int
) -> int:
    """The user's limit on switches; else one for each fixed epoch; else the recipe's limit."""
    if config.switches is not None:
        return int(config.switches)
    return recipe_switches if switch_epochs is None else len(switch_epochs)


def _planned_switches(
    config: TrainConfig, recipe_epochs: tuple[int, ...] | None
) -> tuple[int, ...] | None:
    """The epochs after which switches are planned; None if switches follow stalls.

    Switches follow stalls only if the user sets a warm-up, or more switches than the recipe plans.
    The length of the run is not considered here.
    """
    if config.switch_epochs is not None:
        return tuple(config.switch_epochs)
    if config.warmup_epochs is not None or recipe_epochs is None:
        return None
    if config.switches is None:
        return recipe_epochs
    return recipe_epochs[: config.switches] if config.switches <= len(recipe_epochs) else None


def _switches_within(
    config: TrainConfig, planned: tuple[int, ...] | None, epochs: int
) -> tuple[int, ...] | None:
    """The planned switches that a run of `epochs` epochs makes; none without dendrites.

    A set grown after the last epoch would never be trained. Such switches of the recipe are
    dropped; such switches of the user are kept here and refused by `check_settings`.
    """
    if not config.dendrites or config.switches == 0:
        return ()
    if planned is None or config.switch_epochs is not None:
        return planned
    return tuple(epoch for epoch in planned if epoch < epochs)


def _best_placement(
    budget: int, recipe: dict[str, Any], ladder: tuple[Rung, ...], base: BaseSizes
) -> dict[str, Any]:
    """`recipe` with the best measured placement that costs at most `budget` parameters."""
    parameters = 0
    for rung in ladder:
        placed = scaled({**recipe, **rung.recipe}, "dendrites", base)
        parameters = placed_parameters(placed, base)
        if parameters <= budget:
            return placed
    raise ConfigError(
        f"--budget allows {budget} parameters; the smallest set that it chooses from has "
        f"{parameters}"
    )
