"""What a run is asked to do, and the complete settings that this resolves to.

`TrainConfig` holds what the user said, each value None where nothing was said. `resolve` fills the
rest from the recipe of the regime and checks the whole; the result, `Settings`, is what a run uses
and what its folder records.
"""

from __future__ import annotations

import difflib
from typing import Any, Literal, get_args, get_type_hints

import msgspec

from nexus_engine.errors import ConfigError, one_line
from nexus_engine.recipes import BUDGET_LADDER, RECIPES
from nexus_engine.setting_words import shown_value, wrong_value

__all__ = [
    "Settings",
    "TrainConfig",
    "Tune",
    "check_numbers",
    "config_from_mapping",
    "resolve",
]

MOST_LR = 1.0
MOST_FITTED_LR = 3.0
"""With little data a run may raise the rate that was asked for (see `preparation.fit_to_data`)."""

Tune = Literal["dendrites", "adapter", "full"]
SiteName = Literal["q", "k", "v", "o", "up", "down"]
LossName = Literal["cosine-mse", "cosine-mse-pearson", "cosent"]
Nonlinearity = Literal["gelu", "sigmoid", "tanh", "relu", "linear"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "fp32", "bf16"]
Schedule = Literal["linear", "phase", "constant"]
Order = Literal["random", "length"]
Rule = Literal["gradient", "correlation"]
Grower = Literal["native", "perforatedai"]
Dendrite = Literal["unit", "full"]


class TrainConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the user said. Names are those of the command line, with underscores."""

    data: str = "demo"
    tune: Tune = "dendrites"
    recipe: str = "default"
    base: str | None = None
    dendrites: bool = True
    control: bool = False
    epochs: int | None = None
    epochs_per_pass: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    dendrite_lr: float | None = None
    weight_decay: float | None = None
    layer_decay: float | None = None
    schedule: Schedule | None = None
    order: Order | None = None
    loss: LossName | None = None
    dropout: float | None = None
    sharpness: float | None = None
    warmup_epochs: int | None = None
    switches: int | None = None
    switch_epochs: tuple[int, ...] | None = None
    patience: int | None = None
    min_gain: float | None = None
    place: tuple[SiteName, ...] | None = None
    layers: tuple[int, ...] | None = None
    budget: str | None = None
    units: int | None = None
    nonlinearity: Nonlinearity | None = None
    dendrite: Dendrite | None = None
    grower: Grower = "native"
    rule: Rule = "gradient"
    rule_steps: int | None = None
    seed: int = 1
    score_range: tuple[float, float] | None = None
    device: Device = "auto"
    precision: Precision = "auto"
    threads: int | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A complete configuration.

    `fit` names the settings that little data may change, since the user left them open. `lr` is the
    peak rate of what is not a dendrite, `dendrite_lr` of what is. `switch_epochs` None means that a
    switch follows a stall. `budget_parameters` bounds the dendrites of all switches together.
    `dendrite`: a dendrite's weight row is shared by the neurons (`unit`), or each neuron has its
    own (`full`, as published). `sharpness` is the radius in which a step looks for the worst loss
    (see `nexus_engine.training.steps.sharpness`), 0 for plain steps. With the rule `correlation` a
    new set's input weights learn alone for `rule_steps` batches. An epoch is a pass over the train
    pairs, or a part of one: there are `epochs_per_pass` in a pass. Where nothing but dendrites is
    trained, the first set grows before training and `warmup_epochs` holds for those after it;
    without `warmup_after_first_set`, as in runs of earlier versions, it holds for none.
    """

    data: str
    tune: Tune
    recipe: str
    base: str | None
    dendrites: bool
    control: bool
    epochs: int
    batch_size: int
    fit: tuple[str, ...]
    lr: float
    dendrite_lr: float
    weight_decay: float
    layer_decay: float
    schedule: Schedule
    order: Order
    loss: LossName
    dropout: float
    warmup_epochs: int
    switches: int
    switch_epochs: tuple[int, ...] | None
    patience: int
    min_gain: float
    place: tuple[SiteName, ...]
    layers: tuple[int, ...]
    budget_parameters: int | None
    units: int
    nonlinearity: Nonlinearity
    dendrite: Dendrite
    grower: Grower
    rule: Rule
    rule_steps: int
    seed: int
    score_range: tuple[float, float] | None
    device: Device
    precision: Precision
    threads: int | None
    sharpness: float = 0.0
    epochs_per_pass: int = 1
    warmup_after_first_set: bool = False

    @property
    def planned_switches(self) -> int:
        """How many switches the run makes by itself; the most where they follow stalls."""
        if not self.dendrites:
            return 0
        fixed = self.switch_epochs
        return self.switches if fixed is None else min(self.switches, len(fixed))

    @property
    def fitted(self) -> frozenset[str]:
        """The settings of `fit`, and those that change with them: their values are only planned."""
        return frozenset(self.fit) | ({"dendrite_lr"} if "lr" in self.fit else set())


def config_from_mapping(values: dict[str, Any], source: str) -> TrainConfig:
    """A `TrainConfig` from names and values, as read from a TOML file.

    Raises:
        ConfigError: an unknown name (the nearest right one is named), or a value of a wrong type.
    """
    names = TrainConfig.__struct_fields__
    cleaned = {key.replace("-", "_"): value for key, value in values.items()}
    for key in cleaned:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{source}: unknown setting {one_line(key, 60)}{hint}")
    kinds = get_type_hints(TrainConfig)
    for key, value in cleaned.items():
        wrong = wrong_value(key, value, kinds[key])
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


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also false for NaN
        raise ConfigError(f"{name} {shown_value(value)}: must be between {low:g} and {high:g}")


def resolve(config: TrainConfig, params_base: int = 22_565_376, layers: int = 6) -> Settings:
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
    allowed = None if budget is None else parse_budget(budget, params_base)
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
    _check_ranges(settings, layers)
    return settings


def _allowed_switches(config: TrainConfig, made: tuple[int, ...] | None, recipe: int) -> int:
    """How many sets may grow: as said, or one for each switch that is made, or the recipe's."""
    if config.switches is not None:
        return config.switches
    return recipe if made is None else len(made)


def _planned_switches(
    config: TrainConfig, recipe: tuple[int, ...] | None
) -> tuple[int, ...] | None:
    """The epochs after which a switch is planned, however long the run; None: by stall.

    By stall only for who asks for it: by a warm-up, or by more switches than the recipe plans.
    """
    if config.switch_epochs is not None:
        return config.switch_epochs
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
    where none fits; the user's own are refused (`_check_ranges`).
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


def _check_perforatedai(s: Settings) -> None:
    """What the library cannot do is refused here, not found out inside it."""
    if not s.dendrites:
        raise ConfigError("--grower perforatedai grows dendrites: leave out --no-dendrites")
    if s.rule != "gradient":
        raise ConfigError(
            "--grower perforatedai: the open library leaves the correlation rule out; "
            "use --grower native with --rule correlation"
        )
    if s.min_gain:
        raise ConfigError(
            "--grower perforatedai keeps a dendrite that improves at all: leave out --min-gain"
        )
    if s.units != 1:
        raise ConfigError("--grower perforatedai adds one dendrite at a switch: leave out --units")


def check_numbers(s: Settings, layers: int = 6, most_lr: float = MOST_FITTED_LR) -> None:
    """Refuse numbers that no run can train with, as a folder from elsewhere may hold.

    Raises:
        ConfigError: a number is out of its range.
    """
    _check("--epochs", s.epochs, 1, 1000)
    _check("--epochs-per-pass", s.epochs_per_pass, 1, 1000)
    _check("--batch-size", s.batch_size, 2, 4096)
    _check("--lr", s.lr, 1e-9, most_lr)
    _check("--dendrite-lr", s.dendrite_lr, 1e-9, most_lr)
    _check("--weight-decay", s.weight_decay, 0, 1)
    _check("--layer-decay", s.layer_decay, 0.01, 1)
    _check("--dropout", s.dropout, 0, 0.9)
    _check("--sharpness", s.sharpness, 0, 100)
    _check("--warmup-epochs", s.warmup_epochs, 0, 1000)
    _check("--switches", s.switches, 0, 32)
    _check("--patience", s.patience, 1, 1000)
    _check("--min-gain", s.min_gain, 0, 1)
    _check("--units", s.units, 1, 64)
    _check("--rule-steps", s.rule_steps, 1, 100_000)
    _check("--seed", s.seed, 0, 2**31 - 1)
    if s.threads is not None:
        _check("--threads", s.threads, 1, 1024)
    for layer in s.layers:
        _check("--layers", layer, 0, layers - 1)
    for epoch in s.switch_epochs or ():
        _check("--switch-epochs", epoch, 0, s.epochs - 1)
    for end in s.score_range or ():
        _check("--score-range", end, -1e30, 1e30)


def _check_ranges(s: Settings, layers: int) -> None:
    check_numbers(s, layers, MOST_LR)
    if not s.layers or len(set(s.layers)) != len(s.layers):
        raise ConfigError("--layers: name at least one layer, each once, as 0,1,2")
    if not s.place or len(set(s.place)) != len(s.place):
        raise ConfigError(
            f"--place: name at least one of {', '.join(get_args(SiteName))}, each once"
        )
    if s.switch_epochs is not None:
        if list(s.switch_epochs) != sorted(set(s.switch_epochs)):
            raise ConfigError("--switch-epochs: give rising epochs, as 0,2")
        if s.tune == "dendrites" and s.switch_epochs and s.switch_epochs[0] != 0:
            raise ConfigError(
                f"--switch-epochs begins with {s.switch_epochs[0]}, and with --tune dendrites "
                "nothing is trained before the first set grows: begin with 0"
            )
    if s.tune == "dendrites" and not s.planned_switches:
        raise ConfigError(
            "with --tune dendrites nothing is trained without dendrites: "
            "use --tune adapter or --tune full with --no-dendrites, or --control for a comparison"
        )
    if s.tune == "dendrites" and (s.grower == "perforatedai" or s.dendrite == "full"):
        asked = "--grower perforatedai" if s.grower == "perforatedai" else "--dendrite full"
        raise ConfigError(f"{asked} grows on the adapter: use --tune adapter or --tune full")
    if s.dendrite == "full" and (s.rule == "correlation" or s.budget_parameters is not None):
        raise ConfigError(
            "--dendrite full learns by --rule gradient and has one size: leave out --budget"
        )
    if s.grower == "perforatedai":
        _check_perforatedai(s)
    if s.tune != "dendrites" and not s.dendrites and s.control:
        raise ConfigError(
            "--control compares with a run without dendrites; leave out --no-dendrites"
        )
    if s.score_range is not None and not s.score_range[0] < s.score_range[1]:
        raise ConfigError("--score-range: give LOW,HIGH with LOW below HIGH")
